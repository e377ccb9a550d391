"""How soon the monitor finds a bad model, how seldom it is wrong, and how long going back takes.

    python -m benchmarks.detection [--streams 20] [--windows 200] [--without-service]

- Delay: simulated people answer a good model and then a worse one; how many answers of the worse one until the alarm,
  by figure and by how much worse it is. Half of the streams change at once, half after a long good time.
- False alarms: simulated people answer a good model for many windows, with a look after each; some come back often,
  many at a time, and tastes differ. Beside it a test for one look, repeated at every look, on the same streams.
- Rollback: a real service with two workers on the model package of the work folder; from the decision until the last
  worker serves the earlier version.

People and their tastes are simulated; thresholds, limits and code are those of the monitor. Nothing of the work folder
is changed but `var/reports/detection.json`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.detecting import Crowd, Taste
from benchmarks.going_back import Rollback, measure_rollback
from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from monitoring.watch.figures import FIGURES
from monitoring.watch.reading import Answers, Place
from monitoring.watch.reference import make_reference
from monitoring.watch.watching import References, Watch

GOOD = Taste(adds=0.12, clicks=0.2)
EFFECTS: dict[str, tuple[tuple[str, Taste], ...]] = {
    "attach_rate": tuple((f"-{drop:.0%}", replace(GOOD, adds=GOOD.adds * (1 - drop))) for drop in (0.4, 0.6, 0.8, 1.0)),
    "click_rate": tuple((f"-{drop:.0%}", replace(GOOD, clicks=GOOD.clicks * (1 - drop))) for drop in (0.4, 0.6, 0.8)),
    "coverage": tuple((f"{products} products", replace(GOOD, products=products)) for products in (60, 20)),
    "affinity": tuple((f"-{shift:g} sd", replace(GOOD, score=-shift)) for shift in (1.0, 2.0, 4.0)),
    "latency": tuple((f"× {times:g}", replace(GOOD, latency_ms=GOOD.latency_ms * times)) for times in (3.0, 5.0, 10.0)),
    "fallback_share": tuple((f"{share:.0%}", replace(GOOD, fails=share)) for share in (0.1, 0.3, 1.0)),
}
"""By figure: what a worse model does, said in words, and as a taste."""
GOOD_FOR = (0, 5_000)
"""Answers for which a model is good before it becomes worse."""
MOST = 20_000
"""Answers of the worse model after which a stream is given up."""
STEP = 100


@dataclass(frozen=True)
class Delay:
    """Answers of the worse model until its figure was in breach: median and 90th percentile; streams that missed it."""

    figure: str
    change: str
    median: float
    p90: float
    missed: int
    streams: int


@dataclass(frozen=True)
class Peace:
    """Healthy streams: windows and answers in all, false alarms, and those of a test for one look at every look."""

    streams: int
    windows: int
    answers: int
    alarms: int
    promised_every: float
    naive_streams: int


@dataclass(frozen=True)
class Found:
    """All figures; `rollback` is None where no service was started."""

    delays: list[Delay]
    peace: Peace
    rollback: Rollback | None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--without-service", action="store_true")
    given = parser.parse_args()
    print_tables(measure(load_settings(), given.streams, given.windows, service=not given.without_service))


def measure(settings: Settings, streams: int, windows: int, *, service: bool) -> Found:
    """Return the figures, and write them to `detection.json`.

    Raises:
        ConfigError: fewer than 2 streams or windows. PackageError: there is no model. PartError: the service fails.
    """
    if min(streams, windows) < 2:
        raise ConfigError(f"Found {streams} streams and {windows} windows, expected at least 2 of each.")
    # Moments count answers here, and the rule on how long a breach must last is about machines.
    watch = settings.monitoring.watch.model_copy(update={"least_seconds": 0.0})
    own = settings.model_copy(update={"monitoring": settings.monitoring.model_copy(update={"watch": watch})})
    delays = [
        _delay(own, figure, change, taste, streams) for figure, changes in EFFECTS.items() for change, taste in changes
    ]
    found = Found(delays, _peace(own, streams, windows), measure_rollback(settings) if service else None)
    report = provenance("python -m benchmarks.detection", "people are simulated") | {"simulated": True}
    write_json(settings.work.reports / "detection.json", report | asdict(found))
    return found


def print_tables(found: Found) -> None:
    """Print the figures."""
    console = Console(width=110)
    table = Table(title="Simulated: answers until a worse model is found", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("figure", "becomes", "median", "90 %", f"not within {MOST:,}"):
        table.add_column(heading, justify="left" if heading in {"figure", "becomes"} else "right")
    for one in found.delays:
        table.add_row(
            one.figure.replace("_", " "),
            one.change,
            f"{one.median:,.0f}",
            f"{one.p90:,.0f}",
            f"{one.missed} of {one.streams}",
        )
    console.print(table)
    peace = found.peace
    console.print(
        f"Simulated, healthy: {peace.alarms} false alarms in {peace.streams} streams of {peace.windows} windows "
        f"({peace.answers:,} answers in all), looked at after each; at least {peace.promised_every:,.0f} answers lie "
        f"between two on average. A test for one look (5 %), repeated, was wrong in {peace.naive_streams} of "
        f"{peace.streams} streams."
    )
    back = found.rollback
    if back is not None:
        console.print(
            f"Going back, {back.workers} workers: {back.pointer_seconds:.2f} s from the decision until the pointer "
            f"moved, {back.swapped_seconds:.2f} s until the last worker served the earlier version (medians of "
            f"{back.times}; most {back.slowest_seconds:.2f} s)."
        )


def _reference(settings: Settings, crowd: Crowd) -> References:
    watch = settings.monitoring.watch
    before = make_reference("simulated", crowd.answers(2 * watch.reference_people, GOOD), settings.monitoring)
    return References(before, before)


def _delay(settings: Settings, figure: str, change: str, taste: Taste, streams: int) -> Delay:
    found = []
    for seed in range(streams):
        crowd = Crowd(seed)
        references = _reference(settings, crowd)
        watch = _watch(references, figure)
        good = GOOD_FOR[seed % len(GOOD_FOR)]
        if good:
            _take(watch, references, crowd.answers(good, GOOD), settings)
        seen = 0
        while seen < MOST and _verdicts(watch, references, settings)[figure] != "breach":
            _take(watch, references, crowd.answers(STEP, taste), settings)
            seen += STEP
        found.append(seen)
    late = sum(seen >= MOST for seen in found)
    return Delay(figure, change, float(np.median(found)), float(np.quantile(found, 0.9)), late, streams)


def _peace(settings: Settings, streams: int, windows: int) -> Peace:
    alarms, naive, each = 0, 0, 2 * STEP
    for seed in range(streams):
        crowd = Crowd(1_000 + seed)
        references = _reference(settings, crowd)
        watch, misled = _watch(references), False
        seen: list[Answers] = []
        for _ in range(windows):
            answers = crowd.answers(each, GOOD)
            _take(watch, references, answers, settings)
            seen.append(answers)
            misled = misled or _misled(seen, references)
            if "breach" in _verdicts(watch, references, settings).values():
                alarms += 1
                watch = _watch(references)
        naive += misled
    promised = settings.monitoring.watch.false_alarm_answers
    return Peace(streams, windows, streams * windows * each, alarms, promised, naive)


def _misled(seen: Sequence[Answers], references: References) -> bool:
    """Return whether the attach rate so far is below the reference by a t-test for one look (one-sided, 5 %)."""
    assert references.earlier is not None
    held = references.earlier.figures["attach_rate"]
    attached = np.concatenate([answers.attached for answers in seen]).astype(float)
    error = np.hypot(attached.std() / np.sqrt(attached.size), held.error)
    return bool(attached.mean() < held.value - 1.645 * error)


def _watch(references: References, figure: str | None = None) -> Watch:
    watch = Watch(Place(0.0))
    watch.begin(references)
    if figure is not None:
        watch.followed = {figure: watch.followed[figure]}
    return watch


def _take(watch: Watch, references: References, answers: Answers, settings: Settings) -> None:
    assert references.earlier is not None
    for figure in FIGURES:
        if figure.name in watch.followed:
            known = watch.followed[figure.name]
            taken = known.with_answers(figure, answers, references.earlier, settings.monitoring.watch)
            watch.followed[figure.name] = taken


def _verdicts(watch: Watch, references: References, settings: Settings) -> dict[str, str]:
    return {one.name: one.verdict for one in watch.told(references, settings.monitoring)}


if __name__ == "__main__":
    main()
