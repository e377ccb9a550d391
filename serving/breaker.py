"""A circuit breaker: a part that hangs is left alone for a while, instead of costing every request its timeout.

Source: M. Nygard, Release It!, 2007; the count over the newest calls is that of resilience4j. A class of our own: what
the package index holds for asyncio is unmaintained or wraps calls, and here one call may also end undecided.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from configs.live import BreakerSettings

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Counts how calls end and says whether the next one is worth making. Moments are monotonic seconds, told.

    - closed: calls go through; `failures` of the newest 2 × `failures` calls, within the window, open it.
    - open: none goes through for `open_seconds`.
    - half-open, from then on: one call at a time is a probe; its success closes, its failure opens again.
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._newest: deque[tuple[float, bool]] = deque(maxlen=2 * settings.failures)
        self._opened: float | None = None
        self._probing = False

    def state(self, now: float) -> State:
        """Return where it stands."""
        if self._opened is None:
            return "closed"
        return "open" if now < self._opened + self._settings.open_seconds else "half-open"

    def admits(self, now: float) -> bool:
        """Return whether to make a call now; one that is made is to be told to `ended`, whatever becomes of it."""
        state = self.state(now)
        if state == "half-open" and not self._probing:
            self._probing = True
            return True
        return state == "closed"

    def ended(self, now: float, good: bool | None) -> None:
        """Take in how a call ended; None: it was given up before it could tell anything of the other side."""
        if self._opened is not None:
            # Calls from before it opened end here too; a late one is as good a sign as the probe.
            self._probing = False
            if good is not None:
                self._opened = None if good else now
            self._newest.clear()
        elif good is not None:
            self._newest.append((now, good))
            since = now - self._settings.window_seconds
            if not good and sum(not fine and at >= since for at, fine in self._newest) >= self._settings.failures:
                self._opened = now
