"""The tables that `benchmarks.bench` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.serving_bench.growth import Size
from benchmarks.serving_bench.load import CLOSED_CONNECTIONS, Load
from benchmarks.serving_bench.peers import CONNECTIONS as PEER_CONNECTIONS
from benchmarks.serving_bench.peers import RATE as PEER_RATE
from benchmarks.serving_bench.peers import Side
from benchmarks.serving_bench.recommendations import EMPTY_HANDLER, RATE, Recommendations
from benchmarks.serving_bench.targets import Target

LOAD_COLUMNS = ("p50", "p95", "p99", "max", "per second", "failed", "fallback", "sent late p99")


def recommendations_table(found: Recommendations, candidates: float) -> Table:
    """Return recommendations next to their floors."""
    table = _table(f"Recommendations of {candidates:,.0f} candidates, milliseconds", *LOAD_COLUMNS, "p50 / floor")
    offered, most = f"{RATE:.0f} a second", f"{CLOSED_CONNECTIONS} in a closed loop"
    for shape, load, floor in (
        (offered, found.offered, found.floor_offered),
        (most, found.most, found.floor_most),
    ):
        table.add_row(f"floor: {EMPTY_HANDLER}, {shape}", *_cells(floor), "1.0")
        table.add_row(f"recommendations, {shape}", *_cells(load), f"{load.p50 / floor.p50:.1f}")
    redis = found.redis
    table.add_row("floor: one Redis round trip, same keys", f"{redis.p50:.2f}", "", f"{redis.p99:.2f}")
    return table


def peers_table(sides: Mapping[str, Side]) -> Table:
    """Return the services side by side."""
    table = _table("Side by side, milliseconds", *LOAD_COLUMNS, "p50 / ours", "p99 / ours")
    ours = sides["ours"]
    for name, side in sides.items():
        for shape, load, own in (
            (f"{PEER_RATE:.0f} a second", side.slow, ours.slow),
            (f"{PEER_CONNECTIONS} in a closed loop", side.most, ours.most),
        ):
            ratios = f"{load.p50 / own.p50:.1f}", f"{load.p99 / own.p99:.1f}"
            table.add_row(f"{name}, {shape}", *_cells(load), *ratios)
    return table


def growth_table(sizes: Sequence[Size]) -> Table:
    """Return the real and the synthetic catalogue side by side."""
    headings = ("start s", "own MiB", "mapped MiB", "p50 ms", "p99 ms", "failed", "fallback")
    table = _table(f"Catalogues, at {RATE:.0f} requests a second", *headings)
    for name, size in zip(("real", "synthetic"), sizes, strict=True):
        load, memory = size.load, size.memory
        figures = f"{size.start_seconds:.1f}", f"{memory.own:,.0f}", f"{memory.mapped:,.0f}"
        latency = f"{load.p50:.2f}", f"{load.p99:.2f}", str(load.failed), str(load.fallbacks)
        table.add_row(f"{size.products:,} products, {name}", *figures, *latency)
    return table


def targets_table(targets: Sequence[Target]) -> Table:
    """Return what was promised and what was found."""
    table = _table("Targets", "found", "target", "met")
    for target in targets:
        bound = f"{'≤' if target.at_most else '≥'} {target.bound:,.0f}"
        table.add_row(target.name, f"{target.found:,.2f}", bound, "yes" if target.met else "NO")
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("what", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _cells(load: Load) -> list[str]:
    times = [f"{value:.2f}" for value in (load.p50, load.p95, load.p99, load.longest)]
    return [*times, f"{load.per_second:,.0f}", str(load.failed), str(load.fallbacks), f"{load.lag:.2f}"]
