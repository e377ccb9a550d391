"""A `ShopperState` as a flat record: the one list of columns behind Parquet, the Feast views and online reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from features.baskets import RecentBaskets
from features.rates import RateTable
from features.shopper import ShopperState

Kind = Literal["int", "float", "text", "bytes"]

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "bytes": pa.binary(),
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

SNAPSHOT = Column("snapshot", "int", "row of shopper_states.parquet that holds the purchase tables of this snapshot")
"""Leads from a point-in-time join of the narrow profile to the wide tables, which Feast joins 20 times slower."""

_TABLES: dict[str, type[RateTable] | type[RecentBaskets]] = {
    "products": RateTable,
    "categories": RateTable,
    "brands": RateTable,
    "baskets": RecentBaskets,
}
PURCHASES = (
    *(
        Column(name, "bytes", f"decayed purchase rates by {what}, packed by features.rates.RateTable")
        for name, what in {"products": "product", "categories": "leaf category", "brands": "brand"}.items()
    ),
    Column("baskets", "bytes", "products of the newest orders, packed by features.baskets.RecentBaskets"),
)
"""Columns of the packed purchase tables."""

STATE = PROFILE + PURCHASES
"""What a request needs to rebuild the state."""


def to_record(state: ShopperState) -> dict[str, Any]:
    """Return all columns of a state, readable ones included."""
    record: dict[str, Any] = {column.name: getattr(state, column.name) for column in PROFILE}
    for column in READABLE:
        value = getattr(state, column.name)
        record[column.name] = value(state.last_at) if column.name == "segment" else value
    return record | {column.name: getattr(state, column.name).pack() for column in PURCHASES}


def from_record(record: Mapping[str, Any]) -> ShopperState:
    """Return the state of a record; a record whose `orders` is missing is an unknown shopper's.

    Args:
        record: the `STATE` columns.

    Raises:
        ValueError: a packed table is damaged.
    """
    orders = record.get("orders")
    if orders is None:
        return ShopperState.empty()
    tables: dict[str, Any] = {name: table.unpack(record[name]) for name, table in _TABLES.items()}
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


def arrow_schema(columns: Sequence[Column], entity: str) -> pa.Schema:
    """Return the Parquet schema of a view: entity id, event time, columns."""
    fields = [pa.field(entity, pa.string()), pa.field("event_timestamp", pa.timestamp("us", tz="UTC"))]
    return pa.schema(fields + [pa.field(column.name, ARROW_TYPES[column.kind]) for column in columns])
