"""What each candidate generator finds and costs on the held-out baskets, next to a floor from the same run.

    python -m benchmarks.candidates --cases 1000

The floor is one look for the 200 largest scores of the whole catalogue: the least that a retrieval which scores every
product would cost. Every request starts cold: what a generator has to work out from the cart counts as its cost, even
where another generator or a feature would need it anyway. Read the microseconds as ratios.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.context import Context
from features.history import ingest_record, load_history
from features.store import open_store
from features.top import top_rows
from features.windows import cut_windows
from training.candidates import GENERATORS, eligible, generate
from training.dataset import states_of
from training.package import ModelPackage
from training.protocol import make_cases

FLOOR, TOGETHER = "floor: best 200 of all", "all together"
REPEATS = 3


@dataclass(frozen=True)
class Measured:
    """One generator: mean candidates, share of hidden products among them, median microseconds a request.

    `only` is the share that no other generator found; None where the question makes no sense.
    """

    mean: float
    recall: float
    only: float | None
    microseconds: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000, help="held-out baskets, sampled by seed")
    print_table(measure(load_settings(), parser.parse_args().cases))


def measure(settings: Settings, cases: int) -> dict[str, Measured]:
    """Return the figures of the floor, of the union and of each generator, and write them to `candidates.json`.

    Raises:
        ConfigError: not a positive number of cases.
        NotBuiltError: data, features or a package have not been built.
    """
    if cases < 1:
        raise ConfigError(f"Found --cases {cases}, expected at least 1.")
    package = ModelPackage.load(settings.work.model)
    asked = _contexts(settings, package, cases)
    makers: dict[str, Callable[[Context], NDArray[np.int32]]] = {
        FLOOR: lambda context: top_rows(context.products.stats.popularity, 200).astype(np.int32),
        TOGETHER: lambda context: generate(context, package.candidates),
    }
    for name, generator in GENERATORS.items():
        makers[name] = partial(generator, limit=getattr(package.candidates, name))
    found = {name: [_kept(make, context) for context, _ in asked] for name, make in makers.items()}
    held = {
        name: [np.isin(hidden, rows) for (_, hidden), rows in zip(asked, found[name], strict=True)] for name in found
    }
    figures = {
        name: Measured(
            float(np.mean([rows.size for rows in found[name]])),
            float(np.mean([hit.mean() for hit in held[name]])),
            _only(held, name) if name in GENERATORS else None,
            _microseconds(make, [context for context, _ in asked]),
        )
        for name, make in makers.items()
    }
    report = provenance("python -m benchmarks.candidates", package.data) | {"cases": len(asked)}
    report["generators"] = {name: vars(measured) for name, measured in figures.items()}
    write_json(settings.work.reports / "candidates.json", report)
    return figures


def print_table(figures: dict[str, Measured]) -> None:
    """Print each generator next to the floor."""
    table = Table(
        title="Candidate generation on held-out baskets, one product hidden", title_justify="left", box=SIMPLE_HEAD
    )
    for heading in ("generator", "candidates", "recall", "it alone", "µs", "cost / floor"):
        table.add_column(heading, justify="left" if heading == "generator" else "right")
    floor = figures[FLOOR].microseconds
    for name, found in figures.items():
        only = "" if found.only is None else f"{found.only:.1%}"
        cost = f"{found.microseconds:.0f}", f"{found.microseconds / floor:.2f}"
        table.add_row(name, f"{found.mean:.0f}", f"{found.recall:.1%}", only, *cost)
    Console().print(table)


def _contexts(settings: Settings, package: ModelPackage, count: int) -> list[tuple[Context, NDArray[np.int32]]]:
    """Return (request, hidden products) of a sample of the test window's cases."""
    history = load_history(settings.work.data)
    timezone = ingest_record(settings.work.data)["timezone"]
    window = cut_windows(history, timezone, settings.windows).test
    least, seed = settings.windows.min_basket_products, settings.windows.seed
    cases = make_cases(history, window, hidden_share=0.0, min_products=least, seed=seed)
    chosen = np.random.default_rng(seed).permutation(len(cases))[:count]
    cases = [cases[number] for number in np.sort(chosen)]
    states = states_of(settings, open_store(settings), history, cases)
    return [
        (Context(package.matrix, state, case.cart, case.at), case.hidden)
        for case, state in zip(cases, states, strict=True)
    ]


def _kept(make: Callable[[Context], NDArray[np.int32]], context: Context) -> NDArray[np.int32]:
    rows = make(context)
    return rows[eligible(context, rows)]


def _only(held: dict[str, list[NDArray[np.bool_]]], name: str) -> float:
    others = [held[other] for other in GENERATORS if other != name]
    alone = [
        hit & ~np.logical_or.reduce([other[number] for other in others], axis=0) if others else hit
        for number, hit in enumerate(held[name])
    ]
    return float(np.mean([hit.mean() for hit in alone]))


def _microseconds(make: Callable[[Context], Any], contexts: Sequence[Context]) -> float:
    """Return the median over requests of the least of a few repeats, each on a context that has nothing cached."""
    taken = np.empty((REPEATS, len(contexts)))
    for repeat in range(REPEATS):
        for number, context in enumerate(contexts):
            cold = Context(context.products, context.shopper, context.cart, context.now)
            started = time.perf_counter()
            make(cold)
            taken[repeat, number] = time.perf_counter() - started
    return float(np.median(taken.min(axis=0))) * 1e6


if __name__ == "__main__":
    main()
