"""The event log's files: `events/day=YYYY-MM-DD/part-*.parquet`, and reading them while they are being compacted.

A day holds what was received in it (UTC), so that a day that is over gets no more events, whatever time they tell.
A compacted file names in its footer the files whose place it takes. Moving it into place is the moment at which they
stop counting; removing them comes after. So a reader sees each event in exactly one file at every moment.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs.errors import DataError
from events.contract import Event, OrderFacts, encode
from events.exposure import Exposure
from events.record.rows import mark_of

_MOMENT = pa.timestamp("us", tz="UTC")
_TEXTS = pa.map_(pa.string(), pa.string())
_LINE = pa.struct(
    [
        ("product_id", pa.string()),
        ("quantity", pa.float64()),
        ("price", pa.float64()),
        ("discount", pa.float64()),
        ("position", pa.int64()),
    ]
)
_ORDER = pa.struct(
    [
        ("order_id", pa.string()),
        ("value", pa.float64()),
        ("discount", pa.float64()),
        ("currency", pa.string()),
        ("coupon", pa.string()),
    ]
)
_SHOWN = pa.struct(
    [
        ("product_id", pa.string()),
        ("score", pa.float64()),
        ("propensity", pa.float64()),
        ("price", pa.float64()),
        ("worth", pa.float64()),
    ]
)
_EXPOSURE = pa.struct(
    [
        ("experiment", pa.string()),
        ("experiment_arm", pa.string()),
        ("ranking_arm", pa.string()),
        ("model_version", pa.string()),
        ("rules_version", pa.string()),
        ("fallback", pa.string()),
        ("now", pa.float64()),
        ("latency_ms", pa.float64()),
        ("cart", pa.list_(pa.string())),
        ("explored", pa.bool_()),
        ("lines", pa.list_(_SHOWN)),
        ("pool", pa.list_(pa.struct([("product_id", pa.string()), ("score", pa.float64())]))),
        ("shadow", pa.map_(pa.string(), pa.list_(pa.string()))),
        ("columns", pa.string()),
        ("features", pa.binary()),
    ]
)
SCHEMA = pa.schema(
    [
        ("message_id", pa.string()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("occurred_at", _MOMENT),
        ("received_at", _MOMENT),
        ("session_id", pa.string()),
        ("shopper_id", pa.string()),
        ("anonymous_id", pa.string()),
        ("previous_id", pa.string()),
        ("lines", pa.list_(_LINE)),
        ("order", _ORDER),
        ("checkout_step", pa.int64()),
        ("request_id", pa.string()),
        ("list_id", pa.string()),
        ("context", _TEXTS),
        ("traits", _TEXTS),
        ("mark", pa.string()),
        ("unit", pa.string()),
        ("exposure", _EXPOSURE),
        ("shadow_ms", pa.map_(pa.string(), pa.float64())),
    ]
)
"""One row an event; `mark` tells which of two with one message id counts: the smaller. `unit` and
`shadow_ms` are the exposure's."""
_PLAIN = (
    *("message_id", "kind", "name", "session_id", "shopper_id", "anonymous_id", "previous_id"),
    *("checkout_step", "request_id", "list_id"),
)

PERSON = ("session_id", "shopper_id", "anonymous_id", "previous_id", "unit")
"""Columns whose ids name a person: `events.contract.ids_of`."""

_REPLACES = b"tillwise.replaces"
_COMPACTED = "-compacted.parquet"
_TRIES = 50
ROWS_AT_A_TIME = 50_000


def day_of(event: Event) -> date:
    """Return the day whose folder an event lies in."""
    return datetime.fromtimestamp(event.received_at, UTC).date()


def as_table(events: Iterable[Event]) -> pa.Table:
    """Return events as rows of the log."""
    rows = list(events)
    columns = {name: [getattr(event, name) for event in rows] for name in _PLAIN}
    arrays = {
        **{name: pa.array(values, SCHEMA.field(name).type) for name, values in columns.items()},
        "occurred_at": _moments([event.occurred_at for event in rows]),
        "received_at": _moments([event.received_at for event in rows]),
        "lines": _lines(rows),
        "order": pa.array([None if event.order is None else _fields(event.order) for event in rows], _ORDER),
        "context": _texts([event.context for event in rows]),
        "traits": _texts([event.traits for event in rows]),
        "mark": pa.array([mark_of(event, encode(event)) for event in rows], pa.string()),
        "unit": pa.array([None if event.exposure is None else event.exposure.unit for event in rows], pa.string()),
        "exposure": pa.array([None if event.exposure is None else _shown(event.exposure) for event in rows], _EXPOSURE),
        "shadow_ms": pa.array([_times(event.exposure) for event in rows], SCHEMA.field("shadow_ms").type),
    }
    return pa.Table.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def write_part(folder: Path, day: date, tables: Iterable[pa.Table], replaces: Sequence[Path] = ()) -> Path:
    """Write one durable file of a day and return it; it is complete as soon as it can be seen.

    Args:
        folder: of the whole log.
        day: its day.
        tables: its rows, piece by piece.
        replaces: files of the same day whose place it takes.
    """
    target = day_folder(folder, day)
    target.mkdir(parents=True, exist_ok=True)
    ending = _COMPACTED if replaces else ".parquet"
    path = target / f"part-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}{ending}"
    partial = target / f".{path.name}.partial"
    names = json.dumps([old.name for old in replaces])
    try:
        with pq.ParquetWriter(partial, SCHEMA.with_metadata({_REPLACES: names}), compression="zstd") as file:
            for table in tables:
                file.write_table(table.replace_schema_metadata())
        _sync(partial)
        partial.rename(path)
    except Exception:
        partial.unlink(missing_ok=True)
        raise
    _sync(target)
    _sync(folder)
    return path


def day_folder(folder: Path, day: date) -> Path:
    """Return the folder of a day's files."""
    return folder / f"day={day.isoformat()}"


def listed(target: Path) -> list[Path]:
    """Return a day's files, whether they count or not, in order of their names, which is that of their making."""
    return sorted(target.glob("part-*.parquet"))


def live_files(target: Path) -> list[Path]:
    """Return the files of a day that count now, in order of their names."""
    while True:
        seen = listed(target)
        try:
            replaced = {name for path in seen if path.name.endswith(_COMPACTED) for name in _replaced_by(path)}
        except FileNotFoundError:
            continue  # compacted once more meanwhile
        # A listing during a compaction may miss both the old and the new; two equal ones cannot.
        if seen == listed(target):
            return [path for path in seen if path.name not in replaced]


def read_days(folder: Path) -> list[date]:
    """Return the days that the log has, in order."""
    return sorted(date.fromisoformat(path.name.removeprefix("day=")) for path in folder.glob("day=*"))


def read_day(folder: Path, day: date, kind: str | None = None) -> pa.Table:
    """Return a day's rows, of one kind if told, as its files hold them, each event at least once.

    Raises:
        DataError: a file cannot be read.
    """
    for _ in range(_TRIES):
        try:
            return read_files(live_files(day_folder(folder, day)), kind)
        except FileNotFoundError:
            continue  # compacted since it was listed
    raise DataError(f"The event log of {day} changes faster than it can be read.")


def read_files(files: Iterable[Path], kind: str | None = None) -> pa.Table:
    """Return the rows of files, of one kind if told, one after the other; columns that older files lack are null.

    Raises:
        DataError: a file is no Parquet file. FileNotFoundError: it is gone.
    """
    tables = [_fitted(rows) for path in files for rows in _of_kind(path, kind)]
    return pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks()


def _of_kind(path: Path, kind: str | None) -> Iterator[pa.Table]:
    if kind is None:
        yield _opened(path).read()
        return
    for batch in _opened(path).iter_batches(ROWS_AT_A_TIME):
        yield pa.Table.from_batches([batch]).filter(pc.field("kind") == kind)


def once(rows: pa.Table) -> pa.Table:
    """Return rows with each message id once, the one with the smallest mark, in order of time."""
    kept = rows.filter(pa.array(_counts(rows)))
    return kept.take(pc.sort_indices(kept, sort_keys=[("mark", "ascending"), ("message_id", "ascending")]))


def each_once(files: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield the rows of files piece by piece, each message id once; only ids and marks are held for all rows."""
    keys = pa.concat_tables(_opened(path).read(columns=["message_id", "mark"]) for path in files)
    counts, start = _counts(keys), 0
    for path in files:
        for batch in _opened(path).iter_batches(ROWS_AT_A_TIME):
            kept = pa.array(counts[start : start + len(batch)])
            start += len(batch)
            yield _fitted(pa.Table.from_batches([batch]).filter(kept))


def rows_of(path: Path, ids: Sequence[str], orders: Sequence[str]) -> int:
    """Return how many rows of a file name one of the ids, or tell of giving back one of the orders.

    Raises:
        DataError: it is no Parquet file.
    """
    file = _opened(path)
    columns = [name for name in (*PERSON, "kind", "order") if name in file.schema_arrow.names]
    batches = file.iter_batches(columns=columns)
    return sum(int(_concerns(pa.Table.from_batches([batch]), ids, orders).sum()) for batch in batches)


def is_empty(path: Path) -> bool:
    """Return whether a file holds no row."""
    return bool(_opened(path).metadata.num_rows == 0)


def rows_without(path: Path, ids: Sequence[str], orders: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the other rows of a file piece by piece."""
    for batch in _opened(path).iter_batches(ROWS_AT_A_TIME):
        rows = _fitted(pa.Table.from_batches([batch]))
        yield rows.filter(pa.array(~_concerns(rows, ids, orders)))


def remove(target: Path, paths: Iterable[Path]) -> None:
    """Remove files of a day's folder for good: no loss of power brings them back."""
    for path in paths:
        path.unlink(missing_ok=True)
    _sync(target)


def _concerns(rows: pa.Table, ids: Sequence[str], orders: Sequence[str]) -> NDArray[np.bool_]:
    """Return bool[rows]: whether a row names one of the ids, or tells of giving back one of the orders."""
    wanted, found = pa.array(ids, pa.string()), np.zeros(len(rows), dtype=np.bool_)
    for name in set(PERSON) & set(rows.column_names):
        found |= np.asarray(pc.is_in(rows[name], wanted, skip_nulls=True))
    if orders and {"kind", "order"} <= set(rows.column_names):
        told = pc.struct_field(rows["order"], "order_id")
        about = pc.is_in(told, pa.array(orders, pa.string()), skip_nulls=True)
        found |= np.asarray(pc.and_(about, pc.equal(rows["kind"], "refund")))
    return found


def _counts(rows: pa.Table) -> NDArray[np.bool_]:
    """Return bool[rows]: whether a row is the one with the smallest mark of its message id (of equals, one)."""
    order = np.asarray(pc.sort_indices(rows, sort_keys=[("message_id", "ascending"), ("mark", "ascending")]))
    ids = rows["message_id"].take(pa.array(order)).combine_chunks()
    first = np.ones(len(ids), dtype=np.bool_)
    if len(ids) > 1:
        first[1:] = np.asarray(pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)))
    counts = np.zeros(len(ids), dtype=np.bool_)
    counts[order[first]] = True
    return counts


def _fitted(table: pa.Table) -> pa.Table:
    """Return rows of any version of the log with the columns of this one."""
    bare = table.replace_schema_metadata()
    return pa.concat_tables([SCHEMA.empty_table(), bare], promote_options="default").select(SCHEMA.names)


def _moments(seconds: Sequence[float]) -> pa.Array:
    return pa.array([round(second * 1e6) for second in seconds], pa.int64()).cast(_MOMENT)


def _lines(events: Sequence[Event]) -> pa.Array:
    lines = [line for event in events for line in event.lines]
    columns = [pa.array([getattr(line, field.name) for line in lines], field.type) for field in _LINE]
    every = pa.StructArray.from_arrays(columns, fields=list(_LINE))
    return pa.ListArray.from_arrays(_offsets(len(event.lines) for event in events), every, type=pa.list_(_LINE))


def _texts(texts: Sequence[Mapping[str, str]]) -> pa.Array:
    names = pa.array([name for text in texts for name in text], pa.string())
    values = pa.array([value for text in texts for value in text.values()], pa.string())
    return pa.MapArray.from_arrays(_offsets(map(len, texts)), names, values, type=_TEXTS)


def _offsets(lengths: Iterable[int]) -> pa.Array:
    """Return where each list begins in the values of all, and where the last ends."""
    return pa.array(accumulate(lengths, initial=0), pa.int32())


def _shown(exposure: Exposure) -> dict[str, object]:
    """Return the values of `_EXPOSURE`."""
    found = {field.name: getattr(exposure, field.name) for field in _EXPOSURE}
    found["lines"] = [msgspec.structs.asdict(line) for line in exposure.lines]
    found["pool"] = [{"product_id": product, "score": score} for product, score in exposure.pool]
    return found | {"shadow": list(exposure.shadow.items())}


def _times(exposure: Exposure | None) -> list[tuple[str, float]] | None:
    return None if exposure is None else list(exposure.shadow_ms.items())


def _fields(order: OrderFacts) -> dict[str, object]:
    return {name: getattr(order, name) for name in order.__struct_fields__}


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is no part of the event log: {error} Restore it or remove it.") from None


def _replaced_by(path: Path) -> Iterator[str]:
    metadata = _opened(path).schema_arrow.metadata or {}
    yield from json.loads(metadata.get(_REPLACES, b"[]"))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
