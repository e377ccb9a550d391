"""Stage `evaluate`: the packaged model against other ways to rank, on the same held-out cases.

The package's arms rank through `Recommender`, the code that serves. Shopper states are those just before each basket;
product statistics are the package's own, frozen at the start of the test window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from configs import Progress, Settings, StageReport
from configs.home import read_json, write_json
from configs.provenance import provenance
from features.history import History, ingest_record, load_history
from features.store import open_store
from features.windows import Window, cut_windows
from training.card import model_card
from training.dataset import states_of
from training.evaluation.arms import Arm, arms_of
from training.evaluation.log import log_evaluation
from training.evaluation.metrics import CUTS, Hidden, Products
from training.evaluation.plots import draw_all
from training.evaluation.ranking import Work, rank_all
from training.evaluation.report import Asked, variant_report
from training.evaluation.slices import slicings
from training.package import MANIFEST, ModelPackage
from training.protocol import HIDDEN_SHARE, Case, Variant, fingerprint, make_cases

COMPARED: dict[Variant, tuple[str, ...]] = {"loo": ("hit_rate", "ndcg"), "hide30": ("hit_rate", "recall", "ndcg")}
"""Metrics in which the model is held against each other arm; with one product hidden, recall is the hit rate."""

LOOKING = 0.92
"""Share of the stage that ranking and judging take; plots and the card are the rest."""


@dataclass(frozen=True)
class Judge:
    """What both variants share."""

    settings: Settings
    history: History
    package: ModelPackage
    arms: Mapping[str, Arm]
    channel: Mapping[str, str]
    window: Window

    def report(self, variant: Variant, share: float, tell: Callable[[str, float], None]) -> dict[str, Any]:
        """Return the figures of one variant; `tell` hears what is being done and the finished share of it."""
        settings, history, package = self.settings, self.history, self.package
        cases = make_cases(
            history,
            self.window,
            hidden_share=share,
            min_products=settings.windows.min_basket_products,
            seed=settings.windows.seed,
        )
        tell(f"{variant}: joining shopper states", 0.0)
        states = states_of(settings, open_store(settings), history, cases)
        k = settings.evaluation.k
        work = Work(self.arms, package.matrix, package.candidates, cases, states, max(k, *CUTS), k)
        shown = rank_all(work, settings.evaluation.workers, lambda done: tell(f"{variant}: ranking cases", 0.9 * done))
        tell(f"{variant}: judging", 0.9)
        asked = Asked(
            Hidden.of(cases),
            history.shopper[[case.order for case in cases]],
            Products.of(package.matrix),
            k,
            settings.evaluation.bootstrap_samples,
            settings.windows.seed,
        )
        groups = {}
        if variant == "loo":  # with several hidden products a case belongs to several groups
            groups = slicings(
                history, cases, states, package.matrix.stats, channels=self._channels(cases), as_of=package.as_of
            )
        return {"fingerprint": fingerprint(history, cases)} | variant_report(asked, shown, groups, COMPARED[variant])

    def _channels(self, cases: list[Case]) -> list[str]:
        return [self.channel[self.history.order_ids[case.order]] for case in cases]


def evaluate(settings: Settings, progress: Progress) -> StageReport:
    """Judge the newest package on the test window; write `evaluation.json`, plots and the model card.

    Raises:
        NotBuiltError: data, features or a package have not been built.
        ConfigError: the settings name a baseline that there is not.
    """
    record = ingest_record(settings.work.data)
    progress.update("reading history", 0.0)
    history = load_history(settings.work.data)
    window = cut_windows(history, record["timezone"], settings.windows).test
    package = ModelPackage.load(settings.work.model)
    progress.update("fitting baselines", 0.02)
    arms = arms_of(package, history, settings.evaluation.baselines)
    judge = Judge(settings, history, package, arms, _channel_of(settings.work.data), window)
    variants: dict[str, Any] = {}
    for done, (variant, share) in enumerate(HIDDEN_SHARE.items()):

        def tell(message: str, within: float, done: int = done) -> None:
            progress.update(message, LOOKING * (done + within) / len(HIDDEN_SHARE))

        variants[variant] = judge.report(variant, share, tell)
    report = provenance("tillwise evaluate", record["fingerprint"])
    report |= {
        "model_version": package.version,
        "k": settings.evaluation.k,
        "window": {"start": _moment(window.start), "end": _moment(window.end)},
    }
    report["evaluated"] = log_evaluation(settings.work.reports, report)
    report["variants"] = variants
    write_json(settings.work.reports / "evaluation.json", report)
    progress.update("drawing plots and writing the card", LOOKING)
    plots = draw_all(report, settings.work.reports / "plots")
    card = model_card(report, read_json(settings.work.model / MANIFEST), settings)
    (settings.work.reports / "model_card.md").write_text(card, encoding="utf-8")
    return StageReport(
        "evaluate",
        read={"cases": sum(found["cases"] for found in variants.values())},
        wrote={"arms": len(arms), "plots": len(plots)},
        metrics={arm: variants["loo"]["arms"][arm]["hit_rate"] for arm in arms},
    )


def _channel_of(data: Path) -> dict[str, str]:
    orders = pq.read_table(data / "orders.parquet", columns=["order_id", "channel"])
    return dict(zip(orders["order_id"].to_pylist(), orders["channel"].to_pylist(), strict=True))


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
