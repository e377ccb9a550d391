"""What new orders cost when they are added to existing pair counts, against counting all orders afresh.

    python -m benchmarks.incremental --repeats 3

The floor is one copy of the finished counts in memory: an update leaves the old counts as they are, so it writes at
least that much. Training needs the counts at the start of each fold and at the cutoff: that row stands twice, afresh
and as a chain of updates. Turning counts into partners and vectors costs the same whichever way they came about; it has
a row of its own. Every way's counts are compared entry by entry with those made afresh. Read the seconds as ratios.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.cooccurrence import weigh
from features.history import History, ingest_record, load_history
from features.pair_counts import OrderCounts, PairCounts
from features.windows import cut_windows
from training.parallel import single_thread

FLOOR, AFRESH, WEIGH = "floor: copy the counts", "count all orders", "counts to partners and vectors"
EACH, CHAINED = "all cutoffs of training, each afresh", "all cutoffs of training, chained"
DAYS = (1, 7, 28)
DAY = 86_400

Result = TypeVar("Result")


@dataclass(frozen=True)
class Measured:
    """One way: orders counted, least seconds of a few repeats, whether its counts equal those made afresh."""

    orders: int
    seconds: float
    equal: bool


@dataclass(frozen=True)
class Found:
    """All ways by name, and the megabytes that the counts of all orders take."""

    ways: dict[str, Measured]
    megabytes: float


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="of each way; the least time counts")
    print_table(measure(load_settings(), parser.parse_args().repeats))


def measure(settings: Settings, repeats: int) -> Found:
    """Return the figures of every way, and write them to `incremental.json`.

    Args:
        settings: of a work folder with data. repeats: at least 1.

    Raises:
        ConfigError: no repeat is asked for.
        NotBuiltError: no data have been ingested.
    """
    if repeats < 1:
        raise ConfigError(f"Found --repeats {repeats}, expected at least 1.")
    history, record = load_history(settings.work.data), ingest_record(settings.work.data)
    windows = cut_windows(history, record["timezone"], settings.windows)
    known = history.before(windows.as_of)
    afresh, seconds = _timed(lambda: _count(known), repeats)
    ways = {
        FLOOR: Measured(0, _timed(lambda: _copy(afresh), repeats)[1], True),
        AFRESH: Measured(len(known), seconds, True),
    }
    for days in DAYS:
        ways[name_of(days)] = _adding(known, windows.as_of - days * DAY, afresh, repeats)
    cutoffs = [*(fold.start for fold in windows.folds), windows.as_of]
    ways |= _cutoffs(history, cutoffs, repeats)
    ways[WEIGH] = Measured(0, _timed(lambda: weigh(afresh, settings.features), repeats)[1], True)
    found = Found(ways, afresh.nbytes / 1e6)
    report = provenance("python -m benchmarks.incremental", record["fingerprint"])
    report |= {"repeats": repeats, "megabytes": found.megabytes}
    report["ways"] = {name: vars(way) for name, way in ways.items()}
    write_json(settings.work.reports / "incremental.json", report)
    return found


def name_of(days: int) -> str:
    """Return what the row of the last `days` is called."""
    return f"add the last {days} days" if days > 1 else "add the last day"


def print_table(found: Found) -> None:
    """Print each way next to the floor and to counting afresh."""
    title = f"Pair counts of products and categories, {found.megabytes:,.0f} MB"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", "orders", "seconds", "cost / floor", "cost / afresh", "equal"):
        table.add_column(heading, justify="right" if heading else "left")
    floor, afresh = found.ways[FLOOR].seconds, found.ways[AFRESH].seconds
    for name, way in found.ways.items():
        cost = f"{way.seconds:.3f}", f"{way.seconds / floor:.1f}", f"{way.seconds / afresh:.2f}"
        table.add_row(name, f"{way.orders:,}" if way.orders else "", *cost, "yes" if way.equal else "NO")
    Console(width=110).print(table)


def _adding(known: History, since: int, afresh: OrderCounts, repeats: int) -> Measured:
    """Return what it costs to add the orders since a moment to the counts before it."""
    before, new = _count(known.before(since)), known.since(since)
    counts, seconds = _timed(lambda: before.update(new), repeats)
    return Measured(len(new), seconds, _equal(counts, afresh))


def _cutoffs(history: History, cutoffs: Sequence[int], repeats: int) -> dict[str, Measured]:
    """Return what the counts at all cutoffs cost: each afresh, and each from those before it."""
    parts = [history.before(cutoff) for cutoff in cutoffs]
    new = [parts[0], *(part.since(since) for part, (since, _) in zip(parts[1:], pairwise(cutoffs), strict=True))]

    def each() -> OrderCounts:
        for part in parts:
            counts = _count(part)
        return counts

    def chained() -> OrderCounts:
        counts = OrderCounts.none(history.catalogue)
        for orders in new:
            counts = counts.update(orders)
        return counts

    last, seconds = _timed(each, repeats)
    found = {EACH: Measured(sum(map(len, parts)), seconds, True)}
    counts, seconds = _timed(chained, repeats)
    return found | {CHAINED: Measured(len(parts[-1]), seconds, _equal(counts, last))}


def _count(orders: History) -> OrderCounts:
    return OrderCounts.none(orders.catalogue).update(orders)


def _copy(counts: OrderCounts) -> list[object]:
    return [part.together.copy() for part in _parts(counts)]


def _equal(left: OrderCounts, right: OrderCounts) -> bool:
    return all(
        one.orders == other.orders
        and np.array_equal(one.together.indptr, other.together.indptr)
        and np.array_equal(one.together.indices, other.together.indices)
        and np.array_equal(one.together.data, other.together.data)
        for one, other in zip(_parts(left), _parts(right), strict=True)
    )


def _parts(counts: OrderCounts) -> tuple[PairCounts, PairCounts, PairCounts]:
    return counts.products, counts.leaf, counts.parent


def _timed(way: Callable[[], Result], repeats: int) -> tuple[Result, float]:
    """Return what `way` returns and the least seconds it took."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = way()
        taken.append(time.perf_counter() - started)
    return result, min(taken)


if __name__ == "__main__":
    main()
