"""What each head costs a request and how well it ranks: quality lost against microseconds saved.

    python -m benchmarks.heads --cases 5000 --requests 500

The setting `ranking.head` chooses one of them. Quality is measured on validation cases, since it is there to choose by:
baskets of the training folds by shoppers whom no model learned from, one product hidden, product statistics as of the
fold's start. Stopping the trees, the weights and the calibrations were fitted on other draws of the same shoppers. The
test window stays unseen. Intervals are 95 %, by bootstrap over shoppers, paired with the blend.

Times are those of one thread from the feature matrix to log-odds, each request with nothing cached, heads taking turns.
The floor is one product of the matrix with one column of numbers: the least that any ranker which reads all features
would cost. Read the microseconds as ratios.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.rankers import FLOOR, timed
from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.context import Context
from features.definitions import assemble
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.candidates import generate
from training.dataset import held_back_shoppers, sides_over_time, states_of
from training.evaluation.calibration import calibration
from training.evaluation.metrics import Floats, Hidden, Lists, accuracy, hits
from training.evaluation.significance import Mean, mean_with_interval
from training.heads import HEADS
from training.package import ModelPackage
from training.parallel import single_thread
from training.protocol import Case, make_cases
from training.ranker import COARSE, Ranker
from training.recommender import Recommender

BLEND = "blend"
CASCADE = "blend of the shortlist"
"""The head blend, asked about the best candidates by the int8 student only: `ranking.shortlist` of them."""
BEFORE = "candidates and features"
METRICS = ("hit_rate", "ndcg")
WAYS = (*HEADS, CASCADE)


@dataclass(frozen=True)
class Requests:
    """Validation cases, their contexts and who asked: int32[cases]."""

    cases: Sequence[Case]
    contexts: Sequence[Context]
    shoppers: NDArray[np.int32]


@dataclass(frozen=True)
class Quality:
    """One head's means over cases, the same less the blend's, and its expected calibration error."""

    mean: Mapping[str, Mean]
    difference: Mapping[str, Mean]
    calibration_error: float


@dataclass(frozen=True)
class Measured:
    """What is printed: times are float64[requests] in microseconds, of the floor, of what precedes and of each head."""

    times: Mapping[str, Floats]
    quality: Mapping[str, Quality]
    size: Mapping[str, int]
    chosen: str
    k: int


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5_000, help="validation baskets to judge on, sampled by seed")
    parser.add_argument("--requests", type=int, default=500, help="how many of them to time")
    given = parser.parse_args()
    print_table(measure(load_settings(), given.cases, given.requests))


def measure(settings: Settings, cases: int, requests: int) -> Measured:
    """Return what each head costs and finds, and write it to `heads.json`.

    Args:
        settings: of a work folder with data, features and a model. cases, requests: at most so many.

    Raises:
        ConfigError: `cases` or `requests` is below 1, or there is no validation case.
        NotBuiltError, PackageError: something has not been built.
    """
    if min(cases, requests) < 1:
        raise ConfigError(f"--cases is {cases} and --requests {requests}: give at least 1 of each.")
    package = ModelPackage.load(settings.work.model)
    asked = validation_requests(settings, cases)
    measured = Measured(
        _times(package, asked.contexts[:: max(1, len(asked.contexts) // requests)][:requests]),
        _qualities(settings, package, asked),
        {head: sum(_bytes(package, score) for score in scores) for head, scores in _scores().items()},
        CASCADE if package.ranking.head == BLEND and package.ranking.shortlist else package.ranking.head,
        settings.evaluation.k,
    )
    report = provenance("python -m benchmarks.heads", ingest_record(settings.work.data)["fingerprint"])
    report |= {"model_version": package.version, "window": "training folds, held-back shoppers"}
    report |= {"cases": len(asked.cases), "shoppers": int(np.unique(asked.shoppers).size), **_plain(measured)}
    write_json(settings.work.reports / "heads.json", report)
    return measured


def print_table(found: Measured) -> None:
    """Print one row a head, next to the floor."""
    table = Table(title="Heads: from features to log-odds, and what comes of it", box=SIMPLE_HEAD)
    judged = (f"HR@{found.k}", "less blend", f"NDCG@{found.k}", "less blend")
    for heading in ("head", "µs", "p99", "/ floor", "bytes", *judged):
        table.add_column(heading, justify="left" if heading == "head" else "right", no_wrap=True)
    floor = float(np.median(found.times[FLOOR]))
    for name, times in found.times.items():
        median = float(np.median(times))
        row = [name, f"{median:,.0f}", f"{np.percentile(times, 99):,.0f}", f"{median / floor:,.1f}"]
        if name in found.quality:
            quality = found.quality[name]
            row[0] += " (chosen)" if name == found.chosen else ""
            row.append(f"{found.size[name]:,}")
            for metric in METRICS:
                less = quality.difference[metric]
                row.append(f"{quality.mean[metric].value:.4f}")
                row.append("" if name == BLEND else f"{less.value:+.3f} [{less.low:+.3f}, {less.high:+.3f}]")
        table.add_row(*row)
    Console(width=150).print(table)


def validation_requests(settings: Settings, limit: int) -> Requests:
    """Return at most `limit` baskets of the training folds, by shoppers whom no model learned from.

    Raises:
        ConfigError: there is none.
    """
    history, store = load_history(settings.work.data), open_store(settings)
    windows = cut_windows(history, ingest_record(settings.work.data)["timezone"], settings.windows)
    least, seed = settings.windows.min_basket_products, settings.windows.seed
    held_back = held_back_shoppers(history, settings)
    by_fold = [
        [
            case
            for case in make_cases(history, window, hidden_share=0.0, min_products=least, seed=seed)
            if held_back[history.shopper[case.order]]
        ]
        for window in windows.folds
    ]
    folds = np.repeat(np.arange(len(by_fold)), [len(cases) for cases in by_fold])
    if not folds.size:
        raise ConfigError("No basket of the training folds is by a held-back shopper: raise training.validation_share.")
    everything = [case for cases in by_fold for case in cases]
    chosen = np.sort(np.random.default_rng(seed).permutation(folds.size)[:limit])
    contexts: list[Context] = []
    sides = sides_over_time(settings, store, history, [window.start for window in windows.folds])
    for fold, matrix in enumerate(sides):
        cases = [everything[number] for number in chosen[folds[chosen] == fold]]
        states = states_of(settings, store, history, cases)
        contexts += [Context(matrix, state, case.cart, case.at) for case, state in zip(cases, states, strict=True)]
    cases = [everything[number] for number in chosen]
    return Requests(cases, contexts, history.shopper[[case.order for case in cases]])


def _times(package: ModelPackage, contexts: Sequence[Context]) -> dict[str, Floats]:
    ranker = Ranker(package)
    spent: dict[str, list[float]] = {name: [] for name in (FLOOR, BEFORE, *WAYS)}
    for number, context in enumerate(contexts):
        cold = Context(context.products, context.shopper, context.cart, context.now)
        candidates, features = timed(spent[BEFORE], _features, cold, package)
        timed(spent[FLOOR], np.matmul, features, np.ones(features.shape[1], dtype=np.float32))
        for way in np.roll(WAYS, number).tolist():
            timed(spent[way], attrgetter("logit"), ranker.scored(candidates, features, *_head(package, way)))
    return {name: 1e6 * np.array(times) for name, times in spent.items()}


def _head(package: ModelPackage, way: str) -> tuple[str, int]:
    """Return (head, length of the shortlist, 0 being all candidates) of a way to rank."""
    return (BLEND, package.ranking.shortlist) if way == CASCADE else (way, 0)


def _scores() -> Mapping[str, Sequence[str]]:
    return {**HEADS, CASCADE: (*HEADS[BLEND], COARSE)}


def _features(context: Context, package: ModelPackage) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    candidates = generate(context, package.candidates)
    return candidates, assemble(context, candidates)


def _qualities(settings: Settings, package: ModelPackage, asked: Requests) -> dict[str, Quality]:
    hidden, k = Hidden.of(asked.cases), settings.evaluation.k
    lists, probability = _ranked(package, asked.contexts, k)
    found = {head: accuracy(hits(Lists(rows), hidden), hidden.count, k) for head, rows in lists.items()}

    def mean(values: Floats) -> Mean:
        return mean_with_interval(values, asked.shoppers, settings.evaluation.bootstrap_samples, settings.windows.seed)

    qualities = {}
    for head, figures in found.items():
        told = calibration(probability[head], hits(Lists(lists[head]), hidden))
        qualities[head] = Quality(
            {metric: mean(figures[metric]) for metric in METRICS},
            {metric: mean(figures[metric] - found[BLEND][metric]) for metric in METRICS},
            told.error if told else float("nan"),
        )
    return qualities


def _ranked(
    package: ModelPackage, contexts: Sequence[Context], k: int
) -> tuple[dict[str, NDArray[np.int32]], dict[str, Floats]]:
    """Return what each head shows, int32[cases, k] with -1 behind shorter lists, and how probable it says that is."""
    lists = {head: np.full((len(contexts), k), -1, dtype=np.int32) for head in WAYS}
    probability = {head: np.full((len(contexts), k), np.nan) for head in WAYS}
    for head in WAYS:
        chosen = dict(zip(("head", "shortlist"), _head(package, head), strict=True))
        serving = Recommender(replace(package, ranking=package.ranking.model_copy(update=chosen)))
        for place, context in enumerate(contexts):
            rows, _ = serving.rank(context, k)
            lists[head][place, : rows.size] = rows
            probability[head][place, : rows.size] = serving.probability(context, rows)
    return lists, probability


def _bytes(package: ModelPackage, score: str) -> int:
    """Return the size of what a score is computed with, as it lies in the package."""
    if score == "gbm":
        return len(package.gbm.encode())
    if score == "neural":
        return sum(array.nbytes for array in package.neural.arrays().values())
    return len(package.students[score])


def _plain(found: Measured) -> dict[str, Any]:
    """Return `microseconds.NAME.{median, p99}` and `heads.HEAD.{bytes, ece, METRIC, METRIC_less_blend}` with `ci95`."""

    def figure(mean: Mean) -> dict[str, Any]:
        return {"value": round(mean.value, 5), "ci95": [round(mean.low, 5), round(mean.high, 5)]}

    heads = {
        head: {
            "bytes": found.size[head],
            "ece": round(quality.calibration_error, 5),
            **{metric: figure(mean) for metric, mean in quality.mean.items()},
            **{f"{metric}_less_blend": figure(mean) for metric, mean in quality.difference.items()},
        }
        for head, quality in found.quality.items()
    }
    times = {
        name: {"median": round(float(np.median(spent)), 1), "p99": round(float(np.percentile(spent, 99)), 1)}
        for name, spent in found.times.items()
    }
    return {"k": found.k, "chosen": found.chosen, "microseconds": times, "heads": heads}


if __name__ == "__main__":
    main()
