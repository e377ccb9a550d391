"""How long the rest of a build takes, from how long its stages took before."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipelines.stages import Stage

TRUSTED_SHARE = 0.15
"""A stage that says it is this far is believed over its history."""


class Estimate:
    """Expected seconds per stage, and from it the seconds left: stages that need not wait run beside each other.

    Args:
        expected: seconds each stage that will run is expected to take, in an order in which upstream stages come first.
    """

    def __init__(self, expected: Mapping[Stage, float]) -> None:
        self._expected = dict(expected)

    def left(self, running: Mapping[str, tuple[float, float]], finished: Collection[str] = ()) -> float:
        """Return the seconds left of the build: those of its longest chain of stages.

        Args:
            running: of each stage under way the seconds since it started, and its finished share as it says itself.
            finished: names of the stages that are done.
        """
        ends: dict[str, float] = {}
        for stage, seconds in self._expected.items():
            if stage.name in finished:
                continue
            if stage.name in running:
                ends[stage.name] = _left_of_stage(seconds, *running[stage.name])
            else:
                ends[stage.name] = seconds + max((ends.get(name, 0.0) for name in stage.upstream), default=0.0)
        return max(ends.values(), default=0.0)


def _left_of_stage(expected: float, elapsed: float, done: float) -> float:
    by_history = max(0.0, expected - elapsed)
    if done < TRUSTED_SHARE:
        return by_history
    by_itself = elapsed * (1 - min(done, 1.0)) / done
    return done * by_itself + (1 - done) * by_history


def spoken(seconds: float) -> str:
    """Return a duration as a person says it: "40 s", "3 min 20 s"."""
    whole = round(seconds)
    return f"{whole} s" if whole < 90 else f"{whole // 60} min {whole % 60:02d} s"
