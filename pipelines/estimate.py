"""How long the rest of a build takes, from how long its stages took before."""

from __future__ import annotations

from collections.abc import Mapping

TRUSTED_SHARE = 0.15
"""A stage that says it is this far is believed over its history."""


class Estimate:
    """Expected seconds per stage, and from it the seconds left.

    Args:
        expected: seconds each stage that will run is expected to take, in order, by name.
    """

    def __init__(self, expected: Mapping[str, float]) -> None:
        self._expected = dict(expected)

    def left(self, running: str, elapsed: float, done: float) -> float:
        """Return the seconds left of the build.

        Args:
            running: name of the stage under way.
            elapsed: seconds since it started. done: its finished share as it says itself, 0 to 1.
        """
        names = list(self._expected)
        later = names[names.index(running) + 1 :]
        return self._left_of_stage(running, elapsed, done) + sum(self._expected[name] for name in later)

    def _left_of_stage(self, name: str, elapsed: float, done: float) -> float:
        by_history = max(0.0, self._expected[name] - elapsed)
        if done < TRUSTED_SHARE:
            return by_history
        by_itself = elapsed * (1 - min(done, 1.0)) / done
        return done * by_itself + (1 - done) * by_history


def spoken(seconds: float) -> str:
    """Return a duration as a person says it: "40 s", "3 min 20 s"."""
    whole = round(seconds)
    return f"{whole} s" if whole < 90 else f"{whole // 60} min {whole % 60:02d} s"
