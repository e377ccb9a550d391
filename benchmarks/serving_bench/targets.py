"""What is promised of serving, and whether this run kept it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.serving_bench.growth import Size
from benchmarks.serving_bench.recommendations import RATE, Recommendations

P50_MS, P99_MS = 3.0, 10.0
FLOORS = 8.0
PER_SECOND = 400.0
GROWTH = 2.0


@dataclass(frozen=True)
class Target:
    """A promise: what is measured, what was found, the bound, whether the figure stays at or below it, or above."""

    name: str
    found: float
    bound: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether this run kept it."""
        return self.found <= self.bound if self.at_most else self.found >= self.bound


def of_recommendations(found: Recommendations) -> list[Target]:
    """Return the promises of speed."""
    load = f"at {RATE:.0f} requests a second"
    return [
        Target(f"p50 ms {load}", found.offered.p50, P50_MS),
        Target(f"p99 ms {load}", found.offered.p99, P99_MS),
        Target(f"p50 in empty handlers {load}", found.offered.p50 / found.floor_offered.p50, FLOORS),
        Target("requests a second of one worker", found.most.per_second, PER_SECOND, at_most=False),
    ]


def of_growth(real: Size, synthetic: Size) -> list[Target]:
    """Return the promises of a catalogue that grows."""
    than = f"{synthetic.products:,} synthetic products against {real.products:,} real ones"
    return [
        Target(f"own memory of a worker, {than}", synthetic.memory.own / real.memory.own, GROWTH),
        Target(f"start time, {than}", synthetic.start_seconds / real.start_seconds, GROWTH),
        Target(f"p99, {than}", synthetic.load.p99 / real.load.p99, GROWTH),
    ]
