"""Recommendations for many cases at once: for mail, an app's inbox, or an evaluation of one's own.

Comes in: a table of cases (who, when, with what in the cart) and the model package. Goes out: the best k products of
each. A case sees the shopper's orders from before its moment, and products as of the model's cutoff: nothing later.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs import Progress, Settings, SilentProgress, StageReport
from configs.errors import DataError
from configs.home import replace_file
from configs.settings import FeatureSettings
from features.days import local_day
from features.history import History, ingest_record, load_history
from features.shopper import ShopperState
from training.case_files import Cases, cases_of, read_cases
from training.package import ModelPackage
from training.parallel import map_forked
from training.recommender import Recommendation, Recommender

CHUNK = 100
"""Cases that a worker takes at a time."""


def recommend(settings: Settings, progress: Progress, *, cases: str, out: str, k: int = 10) -> StageReport:
    """Write the best k products for each case of the Parquet file `cases` to the Parquet file `out`.

    Returns:
        Cases read, rows written, what was unknown as notes; the model's version and cutoff as metrics.

    Raises:
        DataError: the cases cannot be used; see `read_cases` and `recommend_cases`.
        ConfigError: `out` cannot be written.
        PackageError, NotBuiltError: there is no model, or no data.
    """
    progress.update("reading cases", 0.0)
    asked = read_cases(Path(cases))
    package = ModelPackage.load(settings.work.model)
    _refuse_earlier(asked, package, ZoneInfo(ingest_record(settings.work.data)["timezone"]))
    with replace_file(Path(out)) as partial:
        progress.update("reading history", 0.02)
        history = load_history(settings.work.data)
        ranked = rank_cases(
            Recommender(package), history, asked, k, workers=settings.evaluation.workers, progress=progress
        )
        pq.write_table(ranked, partial, compression="zstd")
    return StageReport(
        "recommend",
        read={"cases": len(asked)},
        wrote={"recommendations": ranked.num_rows},
        notes=_unknown(history, package, asked),
        metrics={"model_version": package.version, "as_of": package.as_of, "k": k, "out": out},
    )


def recommend_cases(settings: Settings, cases: pa.Table, k: int = 10) -> pa.Table:
    """Return the best k products for each case, ranked by the model in the work folder.

    Args:
        settings: the work folder; `evaluation.workers` processes share the work.
        cases: columns as in `training.case_files.COLUMNS`.
        k: most products a case.

    Returns:
        case_id, rank (int32, from 1), product_id, score (float64, comparable within a case), reason; in the order of
        the cases, best first.

    Raises:
        DataError: a column is missing or wrong, or cases lie before the model's cutoff.
        PackageError, NotBuiltError: there is no model, or no data.
    """
    asked, package = cases_of(cases), ModelPackage.load(settings.work.model)
    _refuse_earlier(asked, package, ZoneInfo(ingest_record(settings.work.data)["timezone"]))
    history = load_history(settings.work.data)
    return rank_cases(
        Recommender(package), history, asked, k, workers=settings.evaluation.workers, progress=SilentProgress()
    )


def rank_cases(
    recommender: Recommender, history: History, cases: Cases, k: int, *, workers: int, progress: Progress
) -> pa.Table:
    """Return the table that `recommend_cases` describes.

    Args:
        recommender: ranks. history: shoppers' orders; those at or after a case's moment do not matter to it.
        cases: none before the recommender's cutoff. k: most products a case.
        workers: processes; 0: one per core. progress: told the finished share.
    """
    row_of = {shopper: row for row, shopper in enumerate(history.shopper_ids)}
    shoppers = np.array([-1 if who is None else row_of.get(who, -1) for who in cases.shoppers], dtype=np.int64)
    by_shopper = np.lexsort((cases.at, shoppers))  # so that a shopper's orders are folded once, not once a case
    orders = _OrdersOf(history)

    def rank_chunk(start: int) -> pa.Table:
        chosen = by_shopper[start : start + CHUNK]
        states = states_over_time(
            history, orders, shoppers[chosen], cases.at[chosen], recommender.package.matrix.features
        )
        answers = [_answer(recommender, cases, int(case), state, k) for case, state in zip(chosen, states, strict=True)]
        return _rows(chosen, answers)

    parts, starts = [], range(0, len(cases), CHUNK)
    for done, part in enumerate(map_forked(rank_chunk, starts, workers), 1):
        parts.append(part)
        progress.update("ranking cases", 0.1 + 0.9 * done / len(starts))
    ranked = pa.concat_tables([_rows(by_shopper[:0], []), *parts])
    ranked = ranked.sort_by([("case", "ascending"), ("rank", "ascending")])
    return ranked.drop_columns("case").add_column(0, "case_id", cases.ids.take(ranked["case"].combine_chunks()))


def _answer(recommender: Recommender, cases: Cases, case: int, shopper: ShopperState, k: int) -> list[Recommendation]:
    # Everything a request knows of its moment comes together here: the channel, `cases.channels[case]`, would too.
    return recommender.recommend(cases.carts[case], shopper, float(cases.at[case]), k)


class _OrdersOf:
    """Which orders (rows, oldest first) each shopper placed."""

    def __init__(self, history: History) -> None:
        self._orders = np.argsort(history.shopper, kind="stable")
        self._start = np.searchsorted(history.shopper[self._orders], np.arange(len(history.shopper_ids) + 1))

    def __getitem__(self, shopper: int) -> NDArray[np.intp]:
        return self._orders[self._start[shopper] : self._start[shopper + 1]]


def states_over_time(
    history: History,
    orders_of: _OrdersOf,
    shoppers: NDArray[np.int64],
    moments: NDArray[np.int64],
    features: FeatureSettings,
) -> Iterator[ShopperState]:
    """Yield each shopper's state from the orders strictly before the moment beside it.

    Args:
        history: all orders. orders_of: the same by shopper.
        shoppers: int64[n], rows in the history, -1 unknown; equal ones stand together.
        moments: int64[n], unix seconds, ascending within a shopper.
        features: decays and bounds of the state.
    """
    current, state, done = -1, ShopperState.empty(), 0
    for shopper, moment in zip(shoppers.tolist(), moments.tolist(), strict=True):
        if shopper != current:
            current, state, done = shopper, ShopperState.empty(), 0
        if shopper >= 0:
            orders = orders_of[shopper]
            known = int(np.searchsorted(history.at[orders], moment, side="left"))
            for order in orders[done:known].tolist():
                state = state.update(history.order(order), features)
            done = known
        yield state


def _rows(chosen: NDArray[np.intp], answers: list[list[Recommendation]]) -> pa.Table:
    items = [item for answer in answers for item in answer]
    counts = np.array([len(answer) for answer in answers], dtype=np.int64)
    ranks = [rank for answer in answers for rank in range(1, len(answer) + 1)]
    return pa.table(
        {
            "case": pa.array(np.repeat(chosen, counts), pa.int64()),
            "rank": pa.array(ranks, pa.int32()),
            "product_id": pa.array([item.product_id for item in items], pa.string()),
            "score": pa.array([item.score for item in items], pa.float64()),
            "reason": pa.array([item.reason for item in items], pa.string()),
        }
    )


def _refuse_earlier(cases: Cases, package: ModelPackage, zone: ZoneInfo) -> None:
    early = cases.at < package.as_of
    if not early.any():
        return
    earliest = int(cases.at.min())
    day = local_day(earliest, zone)
    raise DataError(
        f"{int(early.sum())} of {len(cases)} cases lie before {_spoken(package.as_of)}, up to when this model knows "
        f"products, the earliest at {_spoken(earliest)}: they would be ranked with knowledge of their future. Train a "
        f"model for them with `tillwise train --until {day}`, or `--as-of {day}` to keep later orders of the shoppers."
    )


def _spoken(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def _unknown(history: History, package: ModelPackage, cases: Cases) -> list[str]:
    """Return what a person should hear about ids that nobody knows."""
    known = set(history.shopper_ids)
    strangers = [who for who in cases.shoppers if who is not None and who not in known]
    strays = [product for cart in cases.carts for product in cart if product not in package.matrix.row_of]
    notes = []
    if strangers:
        notes.append(f"{len(strangers):,} cases of shoppers without any order in the data, such as {strangers[0]!r}")
    if strays:
        notes.append(f"{len(strays):,} cart entries ignored, being no products of the model, such as {strays[0]!r}")
    return notes
