"""How long a request may still take. Pure: whoever asks tells the moment."""

from __future__ import annotations

from dataclasses import dataclass

KEPT_BACK = 0.1
"""Share of every deadline for the way of the answer: to encode and send it, and for the client to come round to it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When an answer has to be ready.

    Attributes:
        ends: monotonic seconds.
    """

    ends: float

    @classmethod
    def of(cls, arrived: float, longest_ms: float, *wanted_ms: float | None) -> Budget:
        """Return the budget of a request.

        Args:
            arrived: monotonic seconds at which it reached this process; it may have waited since.
            longest_ms: the service's deadline. wanted_ms: those that the client told, or None; the
                shortest of all holds.
        """
        shortest = min([longest_ms, *(told for told in wanted_ms if told is not None)])
        return cls(arrived + (1 - KEPT_BACK) * shortest / 1000)

    def left(self, now: float) -> float:
        """Return the seconds left at `now` (monotonic), 0 if none are."""
        return max(0.0, self.ends - now)

    def share(self, part: float, now: float) -> float:
        """Return a step's part (0 to 1) of the seconds left, so that something is left for the steps after it."""
        return part * self.left(now)
