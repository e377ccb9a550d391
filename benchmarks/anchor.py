"""The served model against LambdaRank on plain features: what encoder, vectors, own baskets and the blend are worth.

    python -m benchmarks.anchor                 # the test window of a built work folder
    TILLWISE_WINDOWS__AS_OF=2017-11-06 python -m benchmarks.anchor     # of a folder built --as-of that day

The anchor is what a good team builds first: 150 candidates by co-occurrence with the cart, 200 of the shopper's own, 60
popular ones; LightGBM's LambdaRank on the plain features below; trained on the two newest folds, all their baskets, all
candidates. Both rank the same cases with the same states and product statistics. Both variants of hiding are judged by
one anchor, which learns from both, as the model does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from configs import Settings, SilentProgress, load_settings
from configs.home import write_json
from configs.provenance import provenance
from features.context import Context
from features.definitions import assemble, basket, brand, cart_affinity, category, columns_of, popularity, price, repeat
from features.history import History, ingest_record, load_history
from features.store import open_store
from features.top import top_rows
from features.windows import Window, cut_windows
from training.baselines.base import Ranked
from training.candidates import generate
from training.dataset import build_examples, product_matrices
from training.evaluation.arms import MODEL, Arm
from training.evaluation.log import log_evaluation
from training.evaluation.stage import judge_all
from training.gbm import fit_gbm
from training.package import ModelPackage
from training.protocol import Variant
from training.recommender import Recommender

PLAIN = tuple(module.FEATURE for module in (cart_affinity, repeat, category, brand, popularity, price, basket))
FOLDS = 2
CANDIDATES = {"cooccurrence": 150, "history": 200, "popular": 60, "neural": 0, "unsold": 0}
ANCHOR = "anchor"
EVERY_BASKET = 10**9


@dataclass(frozen=True)
class Anchor:
    """LambdaRank on plain features."""

    booster: lgb.Booster
    settings: Settings

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the best k product rows and their scores."""
        rows = generate(context, self.settings.candidates)
        if not rows.size:
            return rows, np.empty(0)
        scores: NDArray[np.float64] = self.booster.predict(assemble(context, rows, PLAIN), num_threads=1)
        best = top_rows(scores, k)
        return rows[best], scores[best]


def main() -> None:
    """Measure, print and write `anchor.json`."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    settings, console = load_settings(), Console(width=110)
    report = measure(settings, console.print)
    for variant in report["variants"]:
        console.print(table_of(report, variant))


def measure(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Return the figures of both, and of the difference, and write them to `anchor.json`.

    Args:
        settings: of a work folder with data, features and a package. tell: told each step.

    Raises:
        NotBuiltError: data, features or a package have not been built.
    """
    record = ingest_record(settings.work.data)
    history = load_history(settings.work.data)
    windows = cut_windows(history, record["timezone"], settings.windows)
    package = ModelPackage.load(settings.work.model)
    tell("training the anchor")
    started = time.perf_counter()
    anchor = fit_anchor(settings, history, windows.folds[-FOLDS:])
    seconds = time.perf_counter() - started
    arms = {
        MODEL: Arm(partial(Recommender(package).rank, arm=MODEL)),
        ANCHOR: Arm(anchor.rank),
    }
    report = provenance("python -m benchmarks.anchor", record["fingerprint"])
    report |= {"model_version": package.version, "window": {"start": windows.test.start, "end": windows.test.end}}
    report |= {"anchor": {"trees": anchor.booster.num_trees(), "columns": list(columns_of(PLAIN)), "seconds": seconds}}
    report["evaluated"] = log_evaluation(settings.work.reports, report)
    tell("ranking the held-out cases")
    report["variants"] = judge_all(settings, history, windows.test, package, arms, tell=lambda *_: None)
    write_json(settings.work.reports / "anchor.json", report)
    return report


def fit_anchor(settings: Settings, history: History, folds: tuple[Window, ...]) -> Anchor:
    """Return the anchor, trained on the folds' baskets."""
    training = settings.training.model_copy(update={"max_baskets": EVERY_BASKET, "negatives_share": 1.0})
    candidates = settings.candidates.model_copy(update=CANDIDATES)
    plain = settings.model_copy(update={"training": training, "candidates": candidates})
    store = open_store(plain)
    sides = product_matrices(plain, store, history, [fold.start for fold in folds])
    examples = build_examples(plain, store, history, folds, sides=sides, progress=lambda _: None, features=PLAIN)
    booster, _ = fit_gbm(examples, training, SilentProgress(), columns_of(PLAIN))
    return Anchor(booster, plain)


def table_of(report: dict[str, Any], variant: Variant) -> Table:
    """Return one variant's figures as a table: a row a metric."""
    found = report["variants"][variant]
    table = Table(title=f"{variant}: {found['cases']:,} held-out baskets of {found['shoppers']:,} shoppers")
    for heading in ("metric", "model", "anchor", "difference", "95 %", "relative", "95 %", "p"):
        table.add_column(heading, justify="left" if heading == "metric" else "right", no_wrap=True)
    for metric, pair in found["paired"][ANCHOR].items():
        ours, theirs = (found["arms"][arm][metric]["value"] for arm in (MODEL, ANCHOR))
        low, high = pair["ci95"]
        relative_low, relative_high = pair["relative_ci95"]
        table.add_row(
            metric,
            f"{ours:.4f}",
            f"{theirs:.4f}",
            f"{pair['difference']:+.4f}",
            f"{low:+.4f} … {high:+.4f}",
            f"{pair['relative']:+.1%}",
            f"{relative_low:+.1%} … {relative_high:+.1%}",
            f"{pair['p_holm']:.4f}",
        )
    return table


if __name__ == "__main__":
    main()
