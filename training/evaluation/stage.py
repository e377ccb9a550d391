"""Stage `evaluate`: the packaged model against other ways to rank, on the same held-out cases.

The package's arms rank through `Recommender`, the code that serves. Shopper states are those just before each basket;
product statistics are the package's own, frozen at the start of the test window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from configs import Progress, Settings, StageReport
from configs.errors import DataError
from configs.home import read_json, write_json
from configs.moments import moment
from configs.provenance import provenance
from features.history import History, ingest_record, load_history
from features.shopper import ShopperState
from features.store import open_store
from features.windows import Window, cut_windows
from training.card import model_card
from training.dataset import states_of
from training.evaluation.arms import MODEL, Arm, arms_of
from training.evaluation.audit import Audited, audit
from training.evaluation.audit.measures import Served
from training.evaluation.log import log_evaluation
from training.evaluation.metrics import CUTS, Hidden, Products
from training.evaluation.plots import draw_all
from training.evaluation.ranking import Work, rank_all
from training.evaluation.report import Asked, variant_report
from training.evaluation.slices import slicings
from training.manifest import MANIFEST
from training.package import ModelPackage
from training.protocol import HIDDEN_SHARE, Case, Variant, fingerprint, make_cases, require_orders

COMPARED: dict[Variant, tuple[str, ...]] = {"loo": ("hit_rate", "ndcg"), "hide30": ("hit_rate", "recall", "ndcg")}
"""Metrics in which the model is held against each other arm; with one product hidden, recall is the hit rate."""


@dataclass(frozen=True)
class Judge:
    """What all variants share; `state` is by order, since a variant only hides another part of the same baskets."""

    settings: Settings
    history: History
    package: ModelPackage
    arms: Mapping[str, Arm]
    channel: Mapping[str, str]
    state: Mapping[int, ShopperState]

    def report(self, variant: Variant, cases: Sequence[Case], tell: Callable[[float], None]) -> dict[str, Any]:
        """Return the figures of one variant's cases; `tell` hears the finished share of ranking them."""
        settings, history, package = self.settings, self.history, self.package
        states, k = [self.state[case.order] for case in cases], settings.evaluation.k
        work = Work(self.arms, package.matrix, package.candidates, cases, states, max(k, *CUTS), k)
        shown = rank_all(work, settings.evaluation.workers, tell)
        asked = Asked(
            Hidden.of(cases),
            history.shopper[[case.order for case in cases]],
            Products.of(package.matrix),
            k,
            settings.evaluation.bootstrap_samples,
            settings.windows.seed,
        )
        head = {"fingerprint": fingerprint(history, cases)}
        if variant != "loo":  # with several hidden products a case belongs to several groups
            return head | variant_report(asked, shown, {}, COMPARED[variant])
        channels = [self.channel[history.order_ids[case.order]] for case in cases]
        stats, as_of = package.matrix.stats, package.as_of
        groups = slicings(history, cases, states, stats, channels=channels, as_of=as_of)
        served = Served(shown.lists[MODEL].top(k).rows, asked.hidden, asked.shopper, asked.bootstrap)
        audited = Audited(served, history, package.matrix, as_of, settings.work.data)
        return (
            head
            | variant_report(asked, shown, groups, COMPARED[variant])
            | {"audit": audit(audited, settings.evaluation.audit)}
        )


def evaluate(settings: Settings, progress: Progress) -> StageReport:
    """Judge the newest package on the test window; write `evaluation.json`, plots and the model card.

    Raises:
        NotBuiltError: data, features or a package have not been built.
        DataError: no basket of the test window is large enough to hide a part of it.
        ConfigError: the settings name a baseline that there is not.
    """
    record = ingest_record(settings.work.data)
    progress.update("reading history", 0.0)
    history = load_history(settings.work.data)
    window = cut_windows(history, record["timezone"], settings.windows).test
    require_orders(history, window)
    package = ModelPackage.load(settings.work.model)
    progress.update("fitting baselines", 0.02)
    arms = arms_of(package, history, settings.evaluation.baselines)
    progress.update("joining shopper states", 0.05)
    variants = judge_all(
        settings,
        history,
        window,
        package,
        arms,
        tell=lambda variant, share: progress.update(f"{variant}: ranking cases", 0.2 + 0.75 * share),
    )
    report = provenance("tillwise evaluate", record["fingerprint"])
    report |= {
        "model_version": package.version,
        "k": settings.evaluation.k,
        "window": {"start": moment(window.start), "end": moment(window.end)},
    }
    report["evaluated"] = log_evaluation(settings.work.reports, report)
    report["audit"] = variants["loo"].pop("audit") | {"shoppers": record["shoppers_fingerprint"]}
    report["variants"] = variants
    write_json(settings.work.reports / "evaluation.json", report)
    progress.update("drawing plots and writing the card", 0.95)
    plots = draw_all(report, settings.work.reports / "plots")
    card = model_card(report, read_json(settings.work.model / MANIFEST), settings)
    (settings.work.reports / "model_card.md").write_text(card, encoding="utf-8")
    return StageReport(
        "evaluate",
        read={"cases": sum(found["cases"] for found in variants.values())},
        wrote={"arms": len(arms), "plots": len(plots)},
        notes=[f"bias audit: {sentence}" for sentence in report["audit"]["findings"]],
        metrics={arm: variants["loo"]["arms"][arm]["hit_rate"] for arm in arms},
    )


def judge_all(
    settings: Settings,
    history: History,
    window: Window,
    package: ModelPackage,
    arms: Mapping[str, Arm],
    *,
    tell: Callable[[Variant, float], None],
) -> dict[str, Any]:
    """Return the figures of every variant by name: what `variant_report` says of a window's cases.

    Args:
        settings: of a work folder with data and features. history: all orders. window: whose baskets are held out.
        package: what is judged. arms: by name; the model is one of them.
        tell: hears the variant that is ranked, and the finished share of all.

    Raises:
        DataError: no basket of the window is large enough to hide a part of it.
    """
    cases = {variant: _cases(settings, history, window, share) for variant, share in HIDDEN_SHARE.items()}
    orders = cases["loo"]
    states = states_of(settings, open_store(settings), history, orders)
    state = {case.order: found for case, found in zip(orders, states, strict=True)}
    judge = Judge(settings, history, package, arms, _channel_of(settings.work.data), state)
    variants: dict[str, Any] = {}
    for done, variant in enumerate(cases):

        def told(share: float, variant: Variant = variant, done: int = done) -> None:
            tell(variant, (done + share) / len(cases))

        variants[variant] = judge.report(variant, cases[variant], told)
    return variants


def _cases(settings: Settings, history: History, window: Window, share: float) -> list[Case]:
    least = settings.windows.min_basket_products
    cases = make_cases(history, window, hidden_share=share, min_products=least, seed=settings.windows.seed)
    if not cases:
        raise DataError(
            f"No basket of the test window holds {least} products: bring more orders, lengthen "
            "TILLWISE_WINDOWS__TEST_DAYS or lower TILLWISE_WINDOWS__MIN_BASKET_PRODUCTS."
        )
    return cases


def _channel_of(data: Path) -> dict[str, str]:
    orders = pq.read_table(data / "orders.parquet", columns=["order_id", "channel"])
    return dict(zip(orders["order_id"].to_pylist(), orders["channel"].to_pylist(), strict=True))
