"""What one request costs, step by step: candidates, features, trees, network, next to a floor from the same run; and
what the arm `signals` costs, without recent activity and with as much of it as counts.

    python -m benchmarks.rankers --cases 500

The floor is one product of the candidates' feature matrix with one column of numbers: the least that any ranker which
reads all features would cost. Every request starts cold. Read the microseconds as ratios.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.activity import Action, RecentActivity
from features.context import Context
from features.definitions import assemble
from features.history import ingest_record, load_history
from features.signals import signals
from features.store import open_store
from features.windows import cut_windows
from training.candidates import generate
from training.dataset import states_of
from training.package import ModelPackage
from training.parallel import single_thread
from training.protocol import make_cases
from training.recommender import Recommender
from training.student.session import OnnxScorer

FLOOR = "floor: features × one column"
SCORING, BROWSED = "signals of candidates", "arm signals, much activity"
STEPS = ("candidates", "features", "trees", "network", "whole request", SCORING, "arm signals", BROWSED)


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500, help="held-out baskets, sampled by seed")
    print_table(measure(load_settings(), parser.parse_args().cases))


def measure(settings: Settings, cases: int) -> dict[str, float]:
    """Return the median microseconds of each step, and write them to `rankers.json`.

    Args:
        settings: of a work folder with data, features and a model. cases: at most so many requests.

    Raises:
        ConfigError: `cases` is below 1.
        NotBuiltError, PackageError: something has not been built.
    """
    if cases < 1:
        raise ConfigError(f"--cases is {cases}: give at least 1.")
    package = ModelPackage.load(settings.work.model)
    spent: dict[str, list[float]] = {name: [] for name in (FLOOR, *STEPS)}
    recommender = Recommender(package)
    trees = OnnxScorer(package.trees).score
    for fresh in requests_of(settings, package, cases):
        context = fresh()
        candidates = timed(spent["candidates"], generate, context, package.candidates)
        features = timed(spent["features"], assemble, context, candidates)
        timed(spent[FLOOR], np.matmul, features, np.ones(features.shape[1], dtype=np.float32))
        timed(spent["trees"], trees, features)
        timed(spent["network"], package.neural.score, features)
        timed(spent["whole request"], recommender.rank, fresh(), settings.evaluation.k)
        timed(spent[SCORING], signals, fresh(), candidates, package.ranking.weights)
        timed(spent["arm signals"], recommender.rank, fresh(), settings.evaluation.k, "signals")
        browsed = replace(fresh(), activity=_much_activity(package, context.now))
        timed(spent[BROWSED], recommender.rank, browsed, settings.evaluation.k, "signals")
    found = {name: 1e6 * float(np.median(times)) for name, times in spent.items()}
    report = provenance("python -m benchmarks.rankers", ingest_record(settings.work.data)["fingerprint"])
    report |= {"model_version": package.version, "requests": len(spent[FLOOR])}
    report["microseconds"] = {name: round(value, 1) for name, value in found.items()}
    write_json(settings.work.reports / "rankers.json", report)
    return found


def print_table(found: dict[str, float]) -> None:
    """Print one row a step."""
    table = Table(title="One request, median", box=SIMPLE_HEAD)
    for heading in ("step", "µs", "cost / floor"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for name, value in found.items():
        table.add_row(name, f"{value:,.0f}", f"{value / found[FLOOR]:,.1f}")
    Console().print(table)


def timed(times: list[float], work: Callable[..., Any], *given: Any) -> Any:
    """Return `work(*given)`, adding the seconds it took to `times`."""
    started = time.perf_counter()
    result = work(*given)
    times.append(time.perf_counter() - started)
    return result


def _much_activity(package: ModelPackage, now: float) -> RecentActivity:
    """Return views of the most popular products, which have the most partners, one a second; as many as count."""
    most, ids = package.ranking.weights.most_actions, package.products.ids
    popular = package.matrix.by_popularity[:most].tolist()
    views: list[Action] = [(ids[row], now - second, "view") for second, row in enumerate(popular)]
    return RecentActivity.of(views, package.matrix.row_of, most)


def requests_of(settings: Settings, package: ModelPackage, limit: int) -> list[Callable[[], Context]]:
    """Return makers of contexts that have worked out nothing yet."""
    history = load_history(settings.work.data)
    window = cut_windows(history, ingest_record(settings.work.data)["timezone"], settings.windows).test
    least, seed = settings.windows.min_basket_products, settings.windows.seed
    cases = make_cases(history, window, hidden_share=0.0, min_products=least, seed=seed)
    chosen = [cases[i] for i in sorted(np.random.default_rng(seed).permutation(len(cases))[:limit])]
    states = states_of(settings, open_store(settings), history, chosen)
    matrix = package.matrix
    return [partial(Context, matrix, state, case.cart, case.at) for case, state in zip(chosen, states, strict=True)]


if __name__ == "__main__":
    main()
