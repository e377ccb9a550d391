"""Stage `evaluate`: the packaged model against popularity and frequently-bought-together on the same held-out cases.

Every arm ranks through `Recommender`, the code that serves. Shopper states are those just before each basket; product
statistics are the package's own, frozen at the start of the test window.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs import Progress, Settings, StageReport
from configs.home import write_json
from configs.provenance import provenance
from features.context import Context
from features.history import History, ingest_record, load_history
from features.shopper import ShopperState
from features.store import open_store
from features.windows import cut_windows
from training.dataset import states_of
from training.metrics import METRICS, columns, judge, summarise
from training.package import ModelPackage
from training.protocol import HIDDEN_SHARE, Case, Variant, fingerprint, make_cases
from training.recommender import ARMS, Recommender

CHUNK = 200
Judged = tuple[float, float, float, float]


def evaluate(settings: Settings, progress: Progress) -> StageReport:
    """Judge the newest package on the test window and write `evaluation.json`.

    Raises:
        NotBuiltError: data, features or a package have not been built.
    """
    record = ingest_record(settings.work.data)
    progress.update("reading history", 0.0)
    history = load_history(settings.work.data)
    windows = cut_windows(history, record["timezone"], settings.windows)
    package = ModelPackage.load(settings.work.model)
    store = open_store(settings)
    variants: dict[str, Any] = {}
    cases_judged = 0
    for done, (variant, share) in enumerate(HIDDEN_SHARE.items()):
        cases = make_cases(
            history,
            windows.test,
            hidden_share=share,
            min_products=settings.windows.min_basket_products,
            seed=settings.windows.seed,
        )
        progress.update(f"{variant}: joining shopper states", done / len(HIDDEN_SHARE))
        states = states_of(settings, store, history, cases)

        def tell(share: float, variant: Variant = variant, done: int = done) -> None:
            progress.update(f"{variant}: ranking cases", (done + share) / len(HIDDEN_SHARE))

        judged = _judge_all(settings, package, cases, states, tell)
        variants[variant] = _summary(settings, history, cases, judged, variant)
        cases_judged += len(cases)
    report = provenance("tillwise evaluate", record["fingerprint"])
    report |= {"model_version": package.version, "k": settings.evaluation.k, "variants": variants}
    write_json(settings.work.reports / "evaluation.json", report)
    return StageReport(
        "evaluate",
        read={"cases": cases_judged},
        wrote={"arms": len(ARMS)},
        metrics={arm: variants["loo"]["arms"][arm]["hit_rate"] for arm in ARMS},
    )


_worker: tuple[Recommender, Sequence[Case], Sequence[ShopperState], int]


def _judge_all(
    settings: Settings,
    package: ModelPackage,
    cases: Sequence[Case],
    states: Sequence[ShopperState],
    tell: Callable[[float], None],
) -> dict[str, list[Judged]]:
    """Return per arm the judgement of every case, ranked in worker processes that inherit package and states."""
    global _worker  # noqa: PLW0603 - inherited by fork: sending states through a pipe would cost more than ranking
    _worker = (Recommender(package), cases, states, settings.evaluation.k)
    chunks = [range(start, min(start + CHUNK, len(cases))) for start in range(0, len(cases), CHUNK)]
    judged: dict[str, list[Judged]] = {arm: [] for arm in ARMS}
    workers = settings.evaluation.workers or os.cpu_count() or 1
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for number, part in enumerate(pool.imap(_judge_chunk, chunks), 1):
            for arm in ARMS:
                judged[arm] += part[arm]
            tell(number / len(chunks))
    return judged


def _judge_chunk(chunk: range) -> dict[str, list[Judged]]:
    recommender, cases, states, k = _worker
    judged: dict[str, list[Judged]] = {arm: [] for arm in ARMS}
    for number in chunk:
        case = cases[number]
        context = Context(recommender.package.matrix, states[number], case.cart, case.at)
        for arm in ARMS:
            ranked, _ = recommender.rank(context, k, arm)
            judged[arm].append(judge(ranked, case.hidden, k))
    return judged


def _summary(
    settings: Settings,
    history: History,
    cases: Sequence[Case],
    judged: dict[str, list[Judged]],
    variant: Variant,
) -> dict[str, Any]:
    shoppers = np.array([history.shopper[case.order] for case in cases], dtype=np.int32)
    slices = {"all": np.ones(len(cases), dtype=bool)}
    if variant == "loo":  # with several hidden products a case is neither one nor the other
        repeat = is_repeat(history, cases)
        slices |= {"repeat": repeat, "new": ~repeat}
    samples, seed = settings.evaluation.bootstrap_samples, settings.windows.seed
    arms: dict[str, Any] = {}
    for arm in ARMS:
        per_case = columns(judged[arm])
        arms[arm] = summarise(per_case, shoppers, samples, seed)
        for name, chosen in list(slices.items())[1:]:
            if chosen.any():
                only = {metric: per_case[metric][chosen] for metric in METRICS[:1]}
                arms[arm][name] = summarise(only, shoppers[chosen], samples, seed)["hit_rate"]
    return {
        "cases": len(cases),
        "shoppers": int(np.unique(shoppers).size),
        "fingerprint": fingerprint(history, cases),
        "arms": arms,
    }


def is_repeat(history: History, cases: Sequence[Case]) -> NDArray[np.bool_]:
    """Return whether the (first) hidden product is one the shopper had bought in an earlier order."""
    size = len(history.catalogue)
    bought = history.shopper[history.line_order].astype(np.int64) * size + history.product
    pairs, first_line = np.unique(bought, return_index=True)  # lines are oldest first
    order = np.array([case.order for case in cases])
    hidden = np.array([case.hidden[0] for case in cases])
    first_order = history.line_order[first_line[np.searchsorted(pairs, history.shopper[order] * size + hidden)]]
    before: NDArray[np.bool_] = history.at[first_order] < history.at[order]
    return before
