"""A `ShopperState` as a flat record: the one list of columns behind Parquet, the Feast views and online reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from features.rates import RateTable
from features.shopper import ShopperState

Kind = Literal["int", "float", "text", "ints", "floats"]

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "ints": pa.list_(pa.int64()),
    "floats": pa.list_(pa.float64()),
}


@dataclass(frozen=True)
class Column:
    """One column of a record: its name, kind and meaning (shown in the feature store's registry)."""

    name: str
    kind: Kind
    meaning: str


PROFILE = (
    Column("orders", "int", "completed orders"),
    Column("first_at", "int", "unix seconds of the first order"),
    Column("last_at", "int", "unix seconds of the newest order"),
    Column("lines", "int", "distinct products summed over orders"),
    Column("units", "float", "units bought"),
    Column("paid", "float", "money paid"),
    Column("saved", "float", "money off by discounts"),
)
"""Columns of the scalar state."""

READABLE = (
    Column("mean_basket_value", "float", "money paid per order"),
    Column("mean_basket_products", "float", "distinct products per order"),
    Column("mean_unit_price", "float", "money paid per unit"),
    Column("discount_share", "float", "price sensitivity: money saved as a share of the undiscounted total"),
    Column("segment", "text", "new, regular or lapsed, as of the newest order"),
)
"""Derived columns for people who browse the store; the ranker derives them from the state itself."""

SNAPSHOT = Column("snapshot", "int", "row of this snapshot in both offline shopper tables")
"""Lets a point-in-time join of the narrow profile find the wide purchase row, which is slow to join itself."""

TABLES = ("products", "categories", "brands")


def _table_columns(table: str) -> tuple[Column, ...]:
    return (
        Column(f"{table}_keys", "ints", f"keys of {table} bought (features.keys), ascending"),
        Column(f"{table}_count", "ints", "orders that held the key"),
        Column(f"{table}_rate", "floats", "decayed count as of the key's newest order"),
        Column(f"{table}_first_at", "ints", "unix seconds of the key's first order"),
        Column(f"{table}_last_at", "ints", "unix seconds of the key's newest order"),
    )


PURCHASES = tuple(column for table in TABLES for column in _table_columns(table))
"""Columns of the decayed purchase tables, parallel arrays per table."""

STATE = PROFILE + PURCHASES
"""What a request needs to rebuild the state."""


def to_record(state: ShopperState) -> dict[str, Any]:
    """Return all columns of a state, readable ones included."""
    record: dict[str, Any] = {column.name: getattr(state, column.name) for column in PROFILE}
    for column in READABLE:
        value = getattr(state, column.name)
        record[column.name] = value(state.last_at) if column.name == "segment" else value
    for name in TABLES:
        table: RateTable = getattr(state, name)
        record |= {f"{name}_{part}": getattr(table, part) for part in RateTable.__slots__}
    return record


def from_record(record: Mapping[str, Any]) -> ShopperState:
    """Return the state of a record; a record whose `orders` is missing is an unknown shopper's.

    Args:
        record: the `STATE` columns; arrays may be any sequence.
    """
    orders = record.get("orders")
    if orders is None:
        return ShopperState.empty()
    tables = {name: _table(record, name) for name in TABLES}
    return ShopperState(
        orders=int(orders),
        first_at=int(record["first_at"]),
        last_at=int(record["last_at"]),
        lines=int(record["lines"]),
        units=float(record["units"]),
        paid=float(record["paid"]),
        saved=float(record["saved"]),
        **tables,
    )


def _table(record: Mapping[str, Any], name: str) -> RateTable:
    def column(part: str, dtype: type) -> Any:
        values: Sequence[Any] | None = record[f"{name}_{part}"]
        return np.asarray(() if values is None else values, dtype=dtype)

    return RateTable(
        column("keys", np.int64),
        column("count", np.int64),
        column("rate", np.float64),
        column("first_at", np.int64),
        column("last_at", np.int64),
    )


def arrow_schema(columns: Sequence[Column], entity: str) -> pa.Schema:
    """Return the Parquet schema of a view: entity id, event time, columns."""
    fields = [pa.field(entity, pa.string()), pa.field("event_timestamp", pa.timestamp("us", tz="UTC"))]
    return pa.schema(fields + [pa.field(column.name, ARROW_TYPES[column.kind]) for column in columns])
