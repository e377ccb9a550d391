"""A token bucket: requests take a token each, tokens come back at a steady rate, up to as many as may come at once."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """One worker's view of the bucket that all workers share. Moments are seconds of one clock, told.

    Attributes:
        rate: tokens per second. burst: tokens of a full bucket.
        tokens: left at the moment `at`; below zero if workers together took more than there was.
        unshared: taken since the shared bucket was last told.
    """

    rate: float
    burst: int
    at: float
    tokens: float
    unshared: int = 0

    @classmethod
    def full(cls, rate: float, burst: int, now: float) -> Bucket:
        """Return a bucket nobody has taken from yet."""
        return cls(rate, burst, now, float(burst))

    def take(self, now: float) -> bool:
        """Return whether there was a token, and take it."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        self.unshared += 1
        return True

    def learn(self, shared: float, told: int, now: float) -> None:
        """Take over what is left in the shared bucket, which was told of `told` tokens; later ones still count."""
        self.unshared -= told
        self.tokens, self.at = min(self.burst, shared - self.unshared), now

    @property
    def left(self) -> int:
        """Requests that may come at once."""
        return max(0, math.floor(self.tokens))

    @property
    def next_seconds(self) -> int:
        """Whole seconds until there is a token again, at least 1."""
        return max(1, math.ceil((1 - self.tokens) / self.rate))

    @property
    def full_seconds(self) -> int:
        """Whole seconds until the bucket is full."""
        return math.ceil((self.burst - self.tokens) / self.rate)

    @property
    def window_seconds(self) -> int:
        """Whole seconds in which an empty bucket fills."""
        return max(1, math.ceil(self.burst / self.rate))
