"""When to start a crashed part again, and when to stop trying. Pure: time is an argument."""

from __future__ import annotations

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 15.0
MOST_CRASHES = 5
WINDOW_SECONDS = 120.0


class Backoff:
    """Doubles the delay with each crash of the last two minutes, and gives up after the fifth."""

    def __init__(self) -> None:
        self._crashes: list[float] = []

    def crashed(self, now: float) -> float | None:
        """Note a crash at `now` (seconds); return the seconds to wait before the next start, None to give up."""
        self._crashes = [at for at in self._crashes if now - at < WINDOW_SECONDS] + [now]
        if len(self._crashes) >= MOST_CRASHES:
            return None
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (len(self._crashes) - 1))

    @property
    def crashes(self) -> int:
        """How many crashes the last two minutes saw."""
        return len(self._crashes)
