"""What is answered while everything around the service breaks: 50 requests a second, and one disturbance after another.

    python -m benchmarks.chaos [--seconds 120] [--rate 50] [--workers 2] [--deadline MS]

Starts the service with two workers on the model package of the work folder, a Redis of its own, and a proxy between
them that can make Redis late, silent or a liar. Each disturbance lasts half of its turn; in the other half everything
is well again, and by its end nine answers of ten must be as good as ever. Sessions are simulated.
Client, service and Redis share the machine.

A killed worker resets the connections it had, and nobody can answer on those: the client sends such a request a second
time, as any client has to, and these are counted. Exits 1 if any answer was 5xx, was not there in time, never came, or
if a calm phase ended before all had recovered.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.chaos_load import Load, Outcome, bodies_of
from benchmarks.chaos_scene import DISTURBANCES, Disturbance, Scene, package_of, running
from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from training.package import ModelPackage

LONGEST_SECONDS = 600.0
MOST_PER_SECOND = 500.0
CALM = "then calm"
SETTLE_SECONDS = 0.1
WARM_SECONDS = 2.0
LAST_SHARE = 0.25
"""Of a calm phase: the part at its end in which everything has to be as good as ever."""
RECOVERED_SHARE = 0.9
"""Of the answers in it that are not degraded: a crowded machine leaves some without time for the model."""


@dataclass(frozen=True)
class Plan:
    """How long, how many requests a second, and what goes wrong, each for an equal turn."""

    seconds: float
    rate: float
    disturbances: Sequence[Disturbance]


@dataclass(frozen=True)
class Phase:
    """What was answered while one thing was wrong, or right again; milliseconds.

    Attributes:
        served: answers by arm and, in parentheses, fallback step. p50, p99, worst: from when a request was due.
        late: answers that took longer than the deadline from when they were sent. again: requests sent a second time.
        shed: answered 429. errors: 5xx. lost: never answered.
    """

    name: str
    requests: int
    served: dict[str, int]
    p50: float
    p99: float
    worst: float
    late: int
    again: int
    shed: int
    errors: int
    lost: int


@dataclass(frozen=True)
class Found:
    """All that is told.

    Attributes:
        phases: in order. whole: the sum of them. unrecovered: calm phases at whose end answers were still degraded.
        notes: what else happened.
    """

    deadline_ms: float
    phases: list[Phase]
    whole: Phase
    unrecovered: list[str]
    notes: list[str]

    @property
    def passed(self) -> bool:
        """Whether everything was answered, in time, and recovered."""
        return not (self.whole.errors or self.whole.late or self.whole.lost or self.unrecovered)


def main() -> None:
    """Run, print, and exit 1 if it did not go as it must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--deadline", type=float, help="milliseconds; default: the setting serving.deadline_ms")
    given = parser.parse_args()
    settings = load_settings()
    own = {"workers": given.workers, "deadline_ms": given.deadline or settings.serving.deadline_ms}
    serving = settings.serving.model_copy(update=own)
    found = measure(settings.model_copy(update={"serving": serving}), given.seconds, given.rate)
    print_table(found)
    sys.exit(0 if found.passed else 1)


def measure(
    settings: Settings, seconds: float, rate: float, disturbances: Sequence[Disturbance] = DISTURBANCES
) -> Found:
    """Return what was answered, and write it to `chaos.json`.

    Args:
        settings: its work folder holds a model and features; its Redis, broker and port are not touched.
        seconds: in all; a little more if it takes time to make something well again. rate: requests a second.
        disturbances: each gets an equal turn.

    Raises:
        ConfigError: the load has no sensible bound. PackageError, NotBuiltError, PartError: it cannot be started.
    """
    if not (0 < seconds <= LONGEST_SECONDS and 0 < rate <= MOST_PER_SECOND):
        raise ConfigError(
            f"Found {seconds} seconds and {rate} requests a second, expected at most {LONGEST_SECONDS:.0f} seconds and "
            f"{MOST_PER_SECOND:.0f} requests a second."
        )
    package = ModelPackage.load(package_of(settings))
    with tempfile.TemporaryDirectory() as name:
        outcomes, notes = asyncio.run(_run(settings, package, Path(name), Plan(seconds, rate, disturbances)))
    found = _found(outcomes, notes, settings.serving.deadline_ms)
    report = provenance("python -m benchmarks.chaos", package.data) | {"seconds": seconds, "rate": rate}
    report |= {"workers": settings.serving.workers, "passed": found.passed}
    write_json(settings.work.reports / "chaos.json", report | asdict(found))
    return found


def print_table(found: Found) -> None:
    """Print what was served in each phase, and in all."""
    table = Table(title="Chaos: what was served", title_justify="left", box=SIMPLE_HEAD)
    headings = ("phase", "served", "p50 ms", "p99 ms", "worst", "late", "sent again", "429", "5xx", "lost")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in {"phase", "served"} else "right")
    for phase in (*found.phases, found.whole):
        served = "\n".join(f"{count:,} {what}" for what, count in phase.served.items())
        times = [f"{value:.1f}" for value in (phase.p50, phase.p99, phase.worst)]
        counts = (phase.late, phase.again, phase.shed, phase.errors, phase.lost)
        table.add_row(phase.name, served, *times, *(f"{count:,}" for count in counts), end_section=True)
    console = Console(width=120)
    console.print(table)
    for note in found.notes:
        console.print(note)
    console.print(
        f"Late: took longer than {found.deadline_ms:.0f} ms from its last sending. "
        + (f"Not recovered in time: {', '.join(found.unrecovered)}. " if found.unrecovered else "")
        + ("Passed." if found.passed else "NOT passed.")
    )


async def _run(settings: Settings, package: ModelPackage, folder: Path, plan: Plan) -> tuple[list[Outcome], list[str]]:
    products, turn = package.products.ids, plan.seconds / len(plan.disturbances)
    async with running(settings, folder, products) as scene:
        load = Load(scene.port, bodies_of(products, scene.shoppers))
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(plan.rate, ended))
            await asyncio.sleep(min(WARM_SECONDS, plan.seconds / 5))  # not counted
            load.outcomes.clear()
            for disturbance in plan.disturbances:
                await _disturb(scene, load, disturbance, turn)
            ended.set()
        await load.close()
        return [outcome for outcome in load.outcomes if outcome.phase], scene.notes


async def _disturb(scene: Scene, load: Load, disturbance: Disturbance, turn: float) -> None:
    """Make something go wrong for half a turn, and well for as long."""
    begun = asyncio.get_running_loop().time()
    load.phase = disturbance.name
    await asyncio.sleep(SETTLE_SECONDS)  # what was sent before is answered before
    await disturbance.begin(scene)
    await asyncio.sleep(max(0.0, begun + turn / 2 - asyncio.get_running_loop().time()))
    await disturbance.end(scene)
    load.phase = f"{disturbance.name}, {CALM}"
    await asyncio.sleep(turn / 2)


def _found(outcomes: Sequence[Outcome], notes: list[str], deadline_ms: float) -> Found:
    names = list(dict.fromkeys(outcome.phase for outcome in sorted(outcomes, key=lambda x: x.due)))
    by_phase = {name: [outcome for outcome in outcomes if outcome.phase == name] for name in names}
    phases = [_phase(name, found, deadline_ms) for name, found in by_phase.items()]
    behind = np.percentile([x.waited - x.took for x in outcomes if not x.again], [99, 100]) * 1_000
    notes = [*notes, f"The load generator itself sent late by {behind[0]:.1f} ms (p99), {behind[1]:.1f} ms at worst."]
    unrecovered = [name for name, found in by_phase.items() if name.endswith(CALM) and not _recovered(found)]
    return Found(deadline_ms, phases, _phase("all", outcomes, deadline_ms), unrecovered, notes)


def _recovered(outcomes: Sequence[Outcome]) -> bool:
    first, last = min(x.due for x in outcomes), max(x.due for x in outcomes)
    good = [not x.degraded for x in outcomes if x.due >= last - LAST_SHARE * (last - first)]
    return sum(good) >= RECOVERED_SHARE * len(good)


def _phase(name: str, outcomes: Sequence[Outcome], deadline_ms: float) -> Phase:
    times = np.array([outcome.waited for outcome in outcomes]) * 1_000
    p50, p99 = np.percentile(times, [50, 99])
    return Phase(
        name,
        len(outcomes),
        dict(Counter(outcome.served for outcome in outcomes).most_common()),
        float(p50),
        float(p99),
        float(times.max()),
        late=sum(outcome.status == 200 and outcome.took * 1_000 > deadline_ms for outcome in outcomes),
        again=sum(outcome.again for outcome in outcomes),
        shed=sum(outcome.status == 429 for outcome in outcomes),
        errors=sum(outcome.status >= 500 for outcome in outcomes),
        lost=sum(outcome.status == 0 for outcome in outcomes),
    )


if __name__ == "__main__":
    main()
