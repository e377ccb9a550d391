"""The stage `ingest`: a shop's tables, as its mapping describes them, to validated contract tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.dataset import DatasetConfig, load_dataset
from configs.home import replace_directory, write_json
from configs.settings import Settings
from configs.stage import Progress, StageReport
from events.suppression import suppressed_until
from features.data.contract import Column, arrow_schema
from features.data.door import QUARANTINE_COLUMNS, Door, Passed, rejected_by_reason
from features.data.fingerprint import content_fingerprint
from features.data.ids import is_among, positions
from features.data.live import LiveOrders, live_orders
from features.data.repairs import fill_prices, merge_lines
from features.data.sources import describe
from features.days import midnight, require_cut_in_data

_FIGURES = ("excluded", "forgotten", "until", "after_until", "first_order_at", "last_order_at", "fingerprint")
_QUARANTINE = pa.schema([(name, pa.string()) for name in QUARANTINE_COLUMNS])


def ingest(settings: Settings, progress: Progress) -> StageReport:
    """Read, map, validate and repair the data set, and write it to `settings.work.data`.

    Of a shop whose clock is live, the orders that were collected are taken in with the shop's own tables. Orders of
    people on the suppression list that are older than their wish are left out, with their lines, and only counted.

    Written are the contract tables, `quarantine/TABLE.parquet` (rows that break the contract, with the reason)
    and `ingest.json` (who, when, how many, fingerprint of the contents; that of the shoppers is one of its own, since
    no model sees them). On any error nothing is written and
    what an earlier run wrote stays.

    Args:
        settings: `dataset` names the mapping; `ingest.max_rejected_share` is how much of a table may be bad;
            orders from the shop's midnight of `windows.until` on are left out, with their lines.
        progress: told what is being done.

    Returns:
        Rows read, written, rejected by reason; repairs and exclusions as notes.

    Raises:
        ConfigError: the mapping is wrong.
        DataError: a source or the system of record cannot be read; a source breaks the contract beyond what may be
            quarantined; `windows.until` lies outside the data.
    """
    from features.data.validate import Validator  # Great Expectations: seconds to import

    dataset = load_dataset(settings)
    validator = Validator(datetime.now(UTC))
    live = live_orders(settings, dataset)
    forget = suppressed_until(settings.work.suppressed)
    door = Door(dataset, validator, settings.ingest.max_rejected_share, live, forget)
    passed = _take_in_all(dataset, door, progress, live)
    progress.update("putting the tables together", 0.75)
    later: dict[str, int] = {}
    if settings.windows.until is not None:
        passed, later = _leave_out_later(passed, settings.windows.until, ZoneInfo(dataset.timezone))
    tables = _put_together(passed)
    progress.update("writing the tables", 0.9)
    record = _record(dataset, passed, tables) | {"until": _as_text(settings.windows.until), "after_until": later}
    _write(settings.work.data, tables, passed, record)
    progress.update("done", 1.0)
    return _report(passed, record)


def _take_in_all(dataset: DatasetConfig, door: Door, progress: Progress, live: LiveOrders | None) -> dict[str, Passed]:
    passed: dict[str, Passed] = {}
    for name, done in (("products", 0.05), ("orders", 0.15), ("order_lines", 0.3), ("shoppers", 0.7)):
        if name not in dataset.tables.mapped():
            continue
        progress.update(f"reading and validating {name}", done)
        refers_to = None
        if name == "order_lines":
            refers_to = {"order_id": passed["orders"].ids, "product_id": passed["products"].ids}
        passed[name] = door.take_in(name, refers_to)
        if name == "products" and live is not None:
            live.fill_prices(passed[name].rows)
    return passed


def _leave_out_later(
    passed: dict[str, Passed], until: date, zone: ZoneInfo
) -> tuple[dict[str, Passed], dict[str, int]]:
    """Return the tables without the orders from the midnight of `until` on, and how many rows that took away.

    It comes before any repair that looks at several orders, so that nothing of the later ones shows.
    """
    orders, lines = passed["orders"].rows, passed["order_lines"].rows
    days = orders["placed_at"].agg(["min", "max"]).dt.tz_convert(zone).dt.date
    require_cut_in_data("windows.until (--until)", until, days["min"], days["max"])
    kept = orders[orders["placed_at"] < pd.Timestamp(midnight(until, zone), unit="s", tz="UTC")]
    kept_lines = lines[is_among(lines["order_id"], kept["order_id"])]
    cut = {"orders": kept.reset_index(drop=True), "order_lines": kept_lines.reset_index(drop=True)}
    left_out = {name: len(passed[name].rows) - len(rows) for name, rows in cut.items()}
    return passed | {name: replace(passed[name], rows=rows) for name, rows in cut.items()}, left_out


def _as_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _put_together(passed: dict[str, Passed]) -> dict[str, pa.Table]:
    """Make the tables that are written, in their order, and note the repairs that need all of them."""
    lines, merged = merge_lines(passed["order_lines"].rows)
    orders = passed["orders"].rows
    with_lines = is_among(orders["order_id"], lines["order_id"])
    orders = orders[with_lines].sort_values(["placed_at", "order_id"], ignore_index=True)
    products = passed["products"].rows.sort_values("product_id", ignore_index=True)
    by_order = positions(lines["order_id"], orders["order_id"])
    lines = lines.iloc[np.lexsort((positions(lines["product_id"], products["product_id"]), by_order))]
    products, priced = fill_prices(products, orders, lines)
    _note(passed["order_lines"], "lines merged into another of the same order and product", merged)
    _note(passed["orders"], "orders dropped, because no line of theirs is left", int((~with_lines).sum()))
    _note(passed["products"], "prices taken from the most recent sale", priced)
    frames = {"products": products, "orders": orders, "order_lines": lines}
    if "shoppers" in passed:
        frames["shoppers"] = passed["shoppers"].rows.sort_values("shopper_id")
    return {name: _to_arrow(frame, passed[name].columns) for name, frame in frames.items()}


def _note(table: Passed, repair: str, count: int) -> None:
    if count:
        table.repairs[repair] = count


def _to_arrow(frame: pd.DataFrame, columns: Iterable[Column]) -> pa.Table:
    schema = arrow_schema(columns)
    return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False).replace_schema_metadata()


def _record(dataset: DatasetConfig, passed: dict[str, Passed], tables: dict[str, pa.Table]) -> dict[str, Any]:
    placed_at = tables["orders"]["placed_at"]
    return {
        "dataset": dataset.name,
        "title": dataset.title,
        "sources": {name: describe(table.source) for name, table in dataset.tables.mapped().items()},
        "timezone": dataset.timezone,
        "clock": dataset.clock,
        "counts": {name: table.num_rows for name, table in tables.items()},
        "read": {name: table.read for name, table in passed.items()},
        "excluded": {name: table.excluded for name, table in passed.items()},
        "forgotten": {name: table.forgotten for name, table in passed.items() if table.forgotten},
        "rejected": {name: rejected_by_reason(table.quarantine) for name, table in passed.items()},
        "repairs": {name: table.repairs for name, table in passed.items()},
        "first_order_at": placed_at[0].as_py().isoformat(),
        "last_order_at": placed_at[-1].as_py().isoformat(),
        "fingerprint": content_fingerprint({name: table for name, table in tables.items() if name != "shoppers"}),
        "shoppers_fingerprint": content_fingerprint({"shoppers": tables["shoppers"]}) if "shoppers" in tables else None,
    }


def _write(target: Path, tables: dict[str, pa.Table], passed: dict[str, Passed], record: dict[str, Any]) -> None:
    with replace_directory(target) as folder:
        (folder / "quarantine").mkdir()
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
            quarantine = pa.Table.from_pandas(passed[name].quarantine, _QUARANTINE, preserve_index=False)
            pq.write_table(quarantine, folder / "quarantine" / f"{name}.parquet", compression="zstd")
        write_json(folder / "ingest.json", record)


def _report(passed: dict[str, Passed], record: dict[str, Any]) -> StageReport:
    notes = [
        f"{name}: {table.excluded:,} rows excluded, as the mapping declares"
        for name, table in passed.items()
        if table.excluded
    ]
    notes += [
        f"{name}: {count:,} {repair}" for name, table in passed.items() for repair, count in table.repairs.items()
    ]
    notes += [
        f"{name}: {count:,} rows left out, of people who were erased" for name, count in record["forgotten"].items()
    ]
    notes += [
        f"{name}: {count:,} rows left out, of orders after --until {record['until']}"
        for name, count in record["after_until"].items()
    ]
    return StageReport(
        stage="ingest",
        read=record["read"],
        wrote=record["counts"],
        rejected={
            f"{name}: {reason}": count
            for name, reasons in record["rejected"].items()
            for reason, count in reasons.items()
        },
        notes=notes,
        metrics={key: record[key] for key in _FIGURES},
    )
