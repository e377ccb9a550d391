"""Stage `features`: folds history into the offline feature tables that Feast joins point-in-time.

Shopper snapshots are written after each order from the first training cutoff on (and one of everybody at that
cutoff); product snapshots at each cutoff. A row stamped t holds what is known once everything at t has happened.
The wide purchase tables of all snapshots lie in `shopper_states.parquet`, which the profile's `snapshot` points into;
the feature view `shopper_purchases` holds only what is served: each shopper's newest row before the test window.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs import Progress, Settings, StageReport
from configs.home import replace_directory, write_json
from configs.settings import FeatureSettings
from features.history import History, ingest_record, load_history
from features.products import ProductStats, product_stats
from features.records import PROFILE, PURCHASES, READABLE, SNAPSHOT, Column, arrow_schema, to_record
from features.shopper import ShopperState
from features.windows import Windows, cut_windows

PRODUCT = (
    Column("orders", "float", "orders that held the product"),
    Column("popularity", "float", "decayed number of orders"),
    Column("trend", "float", "fast over slow order rate; above 1 is rising"),
    Column("price", "float", "decayed mean paid unit price"),
    Column("discount_share", "float", "decayed share of lines with a discount (promotion)"),
    Column("days_since_sold", "float", "days since the newest order"),
)
VIEWS: dict[str, tuple[str, Sequence[Column]]] = {
    "shopper_profile": ("shopper_id", (*PROFILE, *READABLE, SNAPSHOT)),
    "shopper_purchases": ("shopper_id", PURCHASES),
    "product_stats": ("product_id", PRODUCT),
}
"""Name of each feature view: its entity and its columns."""

Snapshot = tuple[str, int, ShopperState]
BATCH = 1_000
STATES = "shopper_states.parquet"


def build_features(settings: Settings, progress: Progress) -> StageReport:
    """Write the offline feature tables to the work folder and return what was read and written.

    Raises:
        NotBuiltError: nothing was ingested yet.
        DataError: the history is too short for the configured windows.
    """
    data = settings.work.data
    record = ingest_record(data)
    progress.update("reading history", 0.0)
    history = load_history(data)
    windows = cut_windows(history, record["timezone"], settings.windows)
    with replace_directory(settings.work.features) as folder:
        wrote = _write_shoppers(folder, history, windows, settings.features, progress)
        wrote["product snapshots"] = _write_products(folder, history, windows, settings.features)
        write_json(folder / "features.json", _summary(settings, windows, record, wrote))
    return StageReport(
        "features",
        read={
            "orders": len(history),
            "order lines": int(history.product.size),
            "products": len(history.catalogue),
        },
        wrote=wrote,
        metrics={"as_of": windows.as_of},
    )


def cutoffs(windows: Windows) -> list[int]:
    """Return the moments (unix seconds) at which product statistics are taken: each window's start."""
    return [fold.start for fold in windows.folds] + [windows.test.start]


def shopper_snapshots(history: History, since: int, features: FeatureSettings) -> Iterator[Snapshot]:
    """Yield (shopper id, unix seconds, state after every order up to and including that moment).

    First everybody's state from before `since`, stamped with their newest order, then one for each moment at which
    a shopper ordered from `since` on, oldest first. (shopper, moment) pairs are distinct. Whoever first orders later
    is given an empty state just before `since`: Feast's join drops a row whose entity is only known later.
    """
    states: dict[int, ShopperState] = dict.fromkeys(range(len(history.shopper_ids)), ShopperState.empty())
    earlier = len(history.before(since))
    for order in range(earlier):
        shopper = int(history.shopper[order])
        states[shopper] = states[shopper].update(history.order(order), features)
    for shopper, state in states.items():
        yield history.shopper_ids[shopper], state.last_at if state.orders else since - 1, state
    pending: dict[int, ShopperState] = {}
    for order in range(earlier, len(history)):
        at, shopper = int(history.at[order]), int(history.shopper[order])
        if pending and next(iter(pending.values())).last_at != at:
            yield from ((history.shopper_ids[who], state.last_at, state) for who, state in pending.items())
            pending.clear()
        states[shopper] = states[shopper].update(history.order(order), features)
        pending[shopper] = states[shopper]
    yield from ((history.shopper_ids[who], state.last_at, state) for who, state in pending.items())


def _write_shoppers(
    folder: Path, history: History, windows: Windows, features: FeatureSettings, progress: Progress
) -> dict[str, int]:
    profile_schema = arrow_schema(VIEWS["shopper_profile"][1], "shopper_id")
    wide_schema = arrow_schema(PURCHASES, "shopper_id")
    rows, served = 0, dict[str, Snapshot]()
    with (
        pq.ParquetWriter(folder / "shopper_profile.parquet", profile_schema, compression="zstd") as profiles,
        pq.ParquetWriter(folder / STATES, wide_schema, compression="zstd") as wide,
    ):
        for batch in _batches(shopper_snapshots(history, windows.folds[0].start, features)):
            profiles.write_table(_snapshot_table(batch, rows, profile_schema))
            wide.write_table(_snapshot_table(batch, rows, wide_schema))
            rows += len(batch)
            served |= {snapshot[0]: snapshot for snapshot in batch if snapshot[1] < windows.as_of}
            share = (batch[-1][1] - int(history.at[0])) / max(1, int(history.at[-1] - history.at[0]))
            progress.update("folding orders into shopper states", 0.9 * share)
    newest = [served[shopper] for shopper in sorted(served)]
    pq.write_table(_snapshot_table(newest, 0, wide_schema), folder / "shopper_purchases.parquet", compression="zstd")
    return {"shopper snapshots": rows, "shoppers": len(newest)}


def _batches(snapshots: Iterator[Snapshot]) -> Iterator[list[Snapshot]]:
    while batch := list(islice(snapshots, BATCH)):
        yield batch


def _snapshot_table(batch: Sequence[Snapshot], first_row: int, schema: pa.Schema) -> pa.Table:
    records = [to_record(state) | {SNAPSHOT.name: row} for row, (_, _, state) in enumerate(batch, first_row)]
    columns: list[pa.Array] = [
        pa.array([shopper for shopper, _, _ in batch], pa.string()),
        pa.array([at * 1_000_000 for _, at, _ in batch], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
    ]
    columns += [pa.array([record[item.name] for record in records], item.type) for item in list(schema)[2:]]
    return pa.table(columns, schema=schema)


def _write_products(folder: Path, history: History, windows: Windows, features: FeatureSettings) -> int:
    schema = arrow_schema(PRODUCT, "product_id")
    rows = 0
    with pq.ParquetWriter(folder / "product_stats.parquet", schema, compression="zstd") as writer:
        for cutoff in cutoffs(windows):
            stats = product_stats(history, cutoff, features)
            # The first snapshot holds all products, sold or not: see `shopper_snapshots` on Feast's join.
            sold = np.flatnonzero((stats.orders > 0) | (rows == 0))
            # What is known from orders before the cutoff is known one second before it at the latest.
            moment = pa.array(np.full(sold.size, (cutoff - 1) * 1_000_000), pa.int64())
            columns = [
                pa.array(history.catalogue.ids, pa.string()).take(pa.array(sold)),
                moment.cast(pa.timestamp("us", tz="UTC")),
            ]
            columns += [pa.array(getattr(stats, name)[sold], pa.float64()) for name in ProductStats.names()]
            writer.write_table(pa.table(columns, schema=schema))
            rows += int(sold.size)
    return rows


def _summary(settings: Settings, windows: Windows, record: dict[str, Any], wrote: dict[str, int]) -> dict[str, Any]:
    made_from = f"{record['fingerprint']} {settings.windows.model_dump_json()} {settings.features.model_dump_json()}"
    return {
        "data": record["fingerprint"],
        "fingerprint": hashlib.sha256(made_from.encode()).hexdigest(),
        "as_of": windows.as_of,
        "test_end": windows.test.end,
        "cutoffs": cutoffs(windows),
        "rows": wrote,
    }
