"""How well every baseline names the one product that was taken out of a held-out basket.

    python -m benchmarks.accuracy                          # the test window
    python -m benchmarks.accuracy --window validation      # the newest training fold: tune here
    python -m benchmarks.accuracy --only blend --only als

Each baseline is fitted on the orders before the window and sees each shopper as of the basket's moment. Intervals are
95 %, by bootstrap over shoppers. Times are of one process and depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.context import Context, ProductMatrix
from features.history import History, ingest_record, load_history
from features.shopper import ShopperState
from features.store import open_store
from features.windows import cut_windows
from training.baselines import BASELINES, Baseline
from training.dataset import product_matrix, states_of
from training.evaluation.metrics import Hidden, Lists, accuracy, hits
from training.evaluation.significance import mean_with_interval
from training.evaluation.slices import is_repeat
from training.protocol import Case, fingerprint, make_cases

WINDOWS = ("test", "validation")


@dataclass(frozen=True)
class Trial:
    """The cases of a window and all that a baseline may know about them.

    Attributes:
        as_of: start of the window, unix seconds. states: shoppers as of each case's moment.
        repeat: bool[cases], whether the shopper had bought the hidden product before. shoppers: int32[cases].
    """

    history: History
    matrix: ProductMatrix
    as_of: int
    cases: Sequence[Case]
    states: Sequence[ShopperState]
    repeat: NDArray[np.bool_]
    shoppers: NDArray[np.int32]


@dataclass(frozen=True)
class Accuracy:
    """One baseline's figures: means over cases (NaN over none), 95 % interval of the hit rate, and times."""

    hit_rate: float
    low: float
    high: float
    ndcg: float
    mrr: float
    repeat: float
    new: float
    fit_seconds: float
    ms_per_case: float


def main() -> None:
    """Measure, print and write `accuracy.json`."""
    settings = load_settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--window", choices=WINDOWS, default="test")
    parser.add_argument("--only", action="append", metavar="NAME", help="a baseline's name; may be repeated")
    given = parser.parse_args()
    console = Console()
    figures = measure(settings, given.window, given.only, lambda name: console.print(f"fitting and judging {name}"))
    print_table(figures, given.window, settings.evaluation.k)


def measure(
    settings: Settings, window: str, only: Sequence[str] | None = None, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Accuracy]:
    """Return the figures of each baseline, and write them to `accuracy.json`.

    Args:
        settings: of a work folder with data and features.
        window: one of `WINDOWS`.
        only: names of baselines; None for all.
        tell: called with each name before its turn.

    Raises:
        ConfigError: there is no such window or baseline.
        NotBuiltError: data or features have not been built.
    """
    chosen = _chosen(only)
    trial, cases_name = _trial(settings, window)
    figures: dict[str, Accuracy] = {}
    for baseline in chosen:
        tell(baseline.name)
        figures[baseline.name] = _judge(baseline, trial, settings)
    report = provenance("python -m benchmarks.accuracy", ingest_record(settings.work.data)["fingerprint"])
    report |= {"window": window, "k": settings.evaluation.k, "cases": len(trial.cases), "fingerprint": cases_name}
    report["baselines"] = {name: _rounded(found) for name, found in figures.items()}
    write_json(settings.work.reports / "accuracy.json", report)
    return figures


def print_table(figures: dict[str, Accuracy], window: str, k: int) -> None:
    """Print one row a baseline."""
    table = Table(title=f"One product hidden, {window} window, the best {k} of all products")
    for heading in ("baseline", f"HR@{k}", "95 %", "NDCG", "MRR", "repeat", "new", "fit s", "ms a case"):
        table.add_column(heading, justify="left" if heading == "baseline" else "right", no_wrap=True)
    for name, found in figures.items():
        quality = [f"{value:.3f}" for value in (found.ndcg, found.mrr, found.repeat, found.new)]
        times = [f"{found.fit_seconds:.1f}", f"{found.ms_per_case:.2f}"]
        table.add_row(name, f"{found.hit_rate:.3f}", f"{found.low:.3f}–{found.high:.3f}", *quality, *times)
    Console(width=110).print(table)


def _chosen(only: Sequence[str] | None) -> list[type[Baseline]]:
    names = [baseline.name for baseline in BASELINES]
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise ConfigError(f"There is no baseline {unknown[0]!r}: choose from {', '.join(names)}.")
    return [baseline for baseline in BASELINES if only is None or baseline.name in only]


def _trial(settings: Settings, window: str) -> tuple[Trial, str]:
    if window not in WINDOWS:
        raise ConfigError(f"There is no window {window!r}: choose one of {', '.join(WINDOWS)}.")
    history = load_history(settings.work.data)
    windows = cut_windows(history, ingest_record(settings.work.data)["timezone"], settings.windows)
    target = windows.test if window == "test" else windows.folds[-1]
    cases = make_cases(
        history,
        target,
        hidden_share=0.0,
        min_products=settings.windows.min_basket_products,
        seed=settings.windows.seed,
    )
    if not cases:
        raise ConfigError(
            f"The {window} window holds no basket of {settings.windows.min_basket_products} or more products: widen it "
            "(TILLWISE_WINDOWS__TEST_DAYS, __TARGET_DAYS) or allow smaller baskets (__MIN_BASKET_PRODUCTS)."
        )
    store = open_store(settings)
    matrix = product_matrix(settings, store, history, target.start)
    states = states_of(settings, store, history, cases)
    shoppers = np.array([history.shopper[case.order] for case in cases], dtype=np.int32)
    trial = Trial(history, matrix, target.start, cases, states, is_repeat(history, cases), shoppers)
    return trial, fingerprint(history, cases)


def _judge(baseline: type[Baseline], trial: Trial, settings: Settings) -> Accuracy:
    k = settings.evaluation.k
    started = time.perf_counter()
    fitted = baseline.fit(trial.history, trial.matrix, trial.as_of)
    fit_seconds = time.perf_counter() - started
    shown = np.full((len(trial.cases), k), -1, dtype=np.int32)
    spent = 0.0
    for place, (case, state) in enumerate(zip(trial.cases, trial.states, strict=True)):
        started = time.perf_counter()
        rows, _ = fitted.rank(Context(trial.matrix, state, case.cart, case.at), k)
        spent += time.perf_counter() - started
        shown[place, : rows.size] = rows
    hidden = Hidden.of(trial.cases)
    found = accuracy(hits(Lists(shown), hidden), hidden.count, k)
    hit = found["hit_rate"]
    mean = mean_with_interval(hit, trial.shoppers, settings.evaluation.bootstrap_samples, settings.windows.seed)
    return Accuracy(
        mean.value,
        mean.low,
        mean.high,
        float(found["ndcg"].mean()),
        float(found["mrr"].mean()),
        float(hit[trial.repeat].mean()) if trial.repeat.any() else float("nan"),
        float(hit[~trial.repeat].mean()) if not trial.repeat.all() else float("nan"),
        fit_seconds,
        1e3 * spent / len(trial.cases),
    )


def _rounded(found: Accuracy) -> dict[str, Any]:
    """Return the figures for a machine: five digits, null where there was nothing to take a mean of."""
    return {name: None if np.isnan(value) else round(value, 5) for name, value in vars(found).items()}


if __name__ == "__main__":
    main()
