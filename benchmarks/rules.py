"""What business rules cost a request, and what diversity costs and brings.

    python -m benchmarks.rules --cases 2000 --requests 500

Times are those of choosing k of an arm's pool, pools being ranked beforehand, kinds of rules taking turns. The floor is
finding the k highest of the pool's scores: the least that any choice costs. Read the microseconds as ratios.

Maximal marginal relevance is judged on validation cases, as in `benchmarks.heads`: baskets by shoppers whom no model
learned from, one product hidden. Intervals are 95 %, by bootstrap over shoppers, paired with lambda 1, which is the
plain order. Diversity is the share of pairs of a list from different leaf categories; likeness is the mean cosine of a
list's pairs by item vectors.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.heads import Requests, validation_requests
from benchmarks.rankers import timed
from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.context import Context, ProductMatrix
from features.history import SEPARATOR, ingest_record
from features.top import top_rows
from serving.rules import Chosen, CompiledRules, Pool, RuleFile, Situation, choose
from serving.rules.compiled import POOL
from serving.rules.schema import Rules
from training.evaluation.metrics import Floats, Hidden, Lists, accuracy, diversity, hits
from training.evaluation.significance import Mean, mean_with_interval
from training.package import ModelPackage
from training.parallel import single_thread
from training.recommender import Recommender

FLOOR = "floor: k highest scores"
LAMBDAS = (1.0, 0.9, 0.8, 0.7, 0.5, 0.3)
METRICS = ("hit_rate", "ndcg", "diversity", "likeness")
EVERYTHING = "all of these"


@dataclass(frozen=True)
class Measured:
    """What is printed: float64[requests] microseconds by kind of rules, pool sizes; metrics by lambda.

    `quality` holds each metric, `difference` the same less that of lambda 1.
    """

    times: Mapping[str, Floats]
    pool: NDArray[np.int64]
    quality: Mapping[float, Mapping[str, Mean]]
    difference: Mapping[float, Mapping[str, Mean]]
    k: int


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2_000, help="validation baskets to judge on, sampled by seed")
    parser.add_argument("--requests", type=int, default=500, help="how many of them to time")
    given = parser.parse_args()
    print_tables(measure(load_settings(), given.cases, given.requests))


def measure(settings: Settings, cases: int, requests: int) -> Measured:
    """Return what rules cost and diversity does, and write it to `rules.json`.

    Args:
        settings: of a work folder with data, features and a model. cases, requests: at most so many.

    Raises:
        ConfigError: `cases` or `requests` is below 1, or there is no validation case.
        NotBuiltError, PackageError: something has not been built.
    """
    if min(cases, requests) < 1:
        raise ConfigError(f"--cases is {cases} and --requests {requests}: give at least 1 of each.")
    package, k = ModelPackage.load(settings.work.model), settings.evaluation.k
    asked, recommender = validation_requests(settings, cases), Recommender(package)
    pools = [Pool(*recommender.rank(context, POOL), log_odds=True) for context in asked.contexts]
    times = _times(asked.contexts[:requests], pools[:requests], k)
    quality, difference = _judged(settings, asked, pools, k)
    sizes = np.array([pool.rows.size for pool in pools])
    measured = Measured(times, sizes, quality, difference, k)
    report = provenance("python -m benchmarks.rules", ingest_record(settings.work.data)["fingerprint"])
    report |= {"model_version": package.version, "window": "training folds, held-back shoppers", "cases": len(pools)}
    write_json(settings.work.reports / "rules.json", report | _plain(measured))
    return measured


def print_tables(found: Measured) -> None:
    """Print one row a kind of rules, then one a lambda."""
    sizes = np.percentile(found.pool, [5, 50, 95])
    title = "Choosing {} of a pool of {:.0f} ({:.0f} to {:.0f}) products".format(found.k, *sizes[[1, 0, 2]])
    table = Table(title=title, box=SIMPLE_HEAD)
    for heading in ("rules", "µs", "p99", "/ floor"):
        table.add_column(heading, justify="left" if heading == "rules" else "right")
    floor = float(np.median(found.times[FLOOR]))
    for name, times in found.times.items():
        median = float(np.median(times))
        table.add_row(name, f"{median:,.0f}", f"{np.percentile(times, 99):,.0f}", f"{median / floor:,.1f}")
    Console().print(table)
    table = Table(title=f"Maximal marginal relevance, lists of {found.k}", box=SIMPLE_HEAD)
    for heading in ("lambda", *(text for metric in METRICS for text in (metric.replace("_", " "), "less lambda 1"))):
        table.add_column(heading, justify="right", no_wrap=True)
    for weight, means in found.quality.items():
        row = [f"{weight:.1f}"]
        for metric in METRICS:
            less = found.difference[weight][metric]
            row += [f"{means[metric].value:.4f}"]
            row += ["" if weight == 1 else f"{less.value:+.4f} [{less.low:+.4f}, {less.high:+.4f}]"]
        table.add_row(*row)
    Console(width=170).print(table)


def kinds_of_rules(matrix: ProductMatrix) -> dict[str, CompiledRules]:
    """Return rules of each kind over a catalogue, then all at once; they name its own first categories."""
    departments = sorted({path.partition(SEPARATOR)[0] for path in matrix.catalogue.categories if path})
    some = {"categories": departments[:2]}
    parts: dict[str, dict[str, Any]] = {
        "blocked and restricted": {
            "blocked": [{"select": some, "when": {"countries": ["NL"]}}],
            "restricted": [{"select": some, "minimum_age": 18}],
        },
        "recently bought": {"recently_bought": {"share": 0.5}},
        "price bands": {"price_bands": [{"of": "dearest_line", "at_most": 2.0}, {"of": "cart_value", "at_most": 0.5}]},
        "placement": {"placements": [{"when": {"steps": [2]}, "price_at_most": 5.0, "at_most": 8}]},
        "boosts": {"boosts": {"promotions": [{"select": some, "log_odds": 0.5, "when": {"steps": [2]}}]}},
        "caps": {"caps": {"category": 2, "department": 5, "brand": 3}},
        "diversity": {"diversity": {"lambda": 0.8}},
        "pinned": {"pinned": [{"product": matrix.catalogue.ids[int(matrix.by_popularity[0])], "position": 3}]},
    }
    everything = {key: value for part in parts.values() for key, value in part.items()}
    files: dict[str, dict[str, Any]] = {"none, the default": {}} | parts | {EVERYTHING: everything}
    return {name: compiled(matrix, content) for name, content in files.items()}


def compiled(matrix: ProductMatrix, content: Mapping[str, Any]) -> CompiledRules:
    """Return the rules of a file of this content over a catalogue."""
    return CompiledRules(RuleFile(Rules.model_validate(content), "benchmark"), matrix)


def _times(contexts: Sequence[Context], pools: Sequence[Pool], k: int) -> dict[str, Floats]:
    spent: dict[str, list[float]] = {FLOOR: []}
    known: dict[int, dict[str, CompiledRules]] = {}
    for number, (context, pool) in enumerate(zip(contexts, pools, strict=True)):
        kinds = known.setdefault(id(context.products), {}) or kinds_of_rules(context.products)
        known[id(context.products)] = kinds
        price = context.products.price[context.cart]
        situation = Situation.of(2, "NL", None, [(1.0, float(paid)) for paid in price])
        timed(spent[FLOOR], top_rows, pool.scores, k)
        for name in np.roll(tuple(kinds), number).tolist():
            spent.setdefault(name, [])
            timed(spent[name], choose, kinds[name], context, situation, pool, k)
    ordered = (FLOOR, *next(iter(known.values())))
    return {name: 1e6 * np.array(spent[name]) for name in ordered}


def _judged(
    settings: Settings, asked: Requests, pools: Sequence[Pool], k: int
) -> tuple[dict[float, dict[str, Mean]], dict[float, dict[str, Mean]]]:
    """Return each lambda's means over cases, and the same less those of lambda 1."""
    hidden, evaluation = Hidden.of(asked.cases), settings.evaluation
    found = {weight: _figures(asked.contexts, pools, hidden, weight, k) for weight in LAMBDAS}

    def mean(values: Floats) -> Mean:
        return mean_with_interval(
            np.nan_to_num(values), asked.shoppers, evaluation.bootstrap_samples, settings.windows.seed
        )

    plain = found[LAMBDAS[0]]
    return (
        {weight: {name: mean(figures[name]) for name in METRICS} for weight, figures in found.items()},
        {weight: {name: mean(figures[name] - plain[name]) for name in METRICS} for weight, figures in found.items()},
    )


def _figures(
    contexts: Sequence[Context], pools: Sequence[Pool], hidden: Hidden, weight: float, k: int
) -> dict[str, Floats]:
    lists = np.full((len(pools), k), -1, dtype=np.int32)
    likeness = np.zeros(len(pools))
    known: dict[int, CompiledRules] = {}
    for place, (context, pool) in enumerate(zip(contexts, pools, strict=True)):
        matrix = context.products
        if id(matrix) not in known:
            known[id(matrix)] = compiled(matrix, {"diversity": {"lambda": weight}})
        chosen = choose(known[id(matrix)], context, Situation(), pool, k)
        lists[place, : chosen.rows.size] = chosen.rows
        likeness[place] = _likeness(matrix, chosen)
    shown = Lists(lists)
    found = accuracy(hits(shown, hidden), hidden.count, k)
    category = contexts[0].products.catalogue.category_keys
    return {**found, "diversity": diversity(shown, category), "likeness": likeness}


def _likeness(matrix: ProductMatrix, chosen: Chosen) -> float:
    vectors, size = matrix.together.vectors[chosen.rows].astype(np.float64), chosen.rows.size
    total = float(np.square(vectors.sum(axis=0)).sum() - np.square(vectors).sum())
    return total / (size * (size - 1)) if size > 1 else 0.0


def _plain(found: Measured) -> dict[str, Any]:
    """Return `microseconds.NAME.{median, p99}` and `lambda.WEIGHT.{METRIC, METRIC_less_plain}` with `ci95`."""

    def figure(mean: Mean) -> dict[str, Any]:
        return {"value": round(mean.value, 5), "ci95": [round(mean.low, 5), round(mean.high, 5)]}

    times = {
        name: {"median": round(float(np.median(spent)), 1), "p99": round(float(np.percentile(spent, 99)), 1)}
        for name, spent in found.times.items()
    }
    weights = {
        str(weight): {
            **{metric: figure(mean) for metric, mean in means.items()},
            **{f"{metric}_less_plain": figure(mean) for metric, mean in found.difference[weight].items()},
        }
        for weight, means in found.quality.items()
    }
    return {"k": found.k, "microseconds": times, "lambda": weights}


if __name__ == "__main__":
    main()
