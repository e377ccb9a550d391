"""The data contract: which tables and columns every shop's data end up in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Kind = Literal["id", "text", "number", "flag", "moment"]

_ARROW: dict[Kind, pa.DataType] = {
    "id": pa.string(),
    "text": pa.string(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "moment": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Column:
    """One column of a contract table.

    Attributes:
        name: its name.
        kind: id and text are str, number is float64, flag is bool, moment is a UTC timestamp (microseconds).
        nullable: whether it may be missing in the written table.
        fill: what a missing value becomes; None leaves it missing, which breaks the contract unless nullable.
    """

    name: str
    kind: Kind
    nullable: bool = False
    fill: str | float | None = None


CONTRACT: dict[str, tuple[Column, ...]] = {
    "products": (
        Column("product_id", "id"),
        Column("title", "text"),
        Column("category", "text", fill=""),
        Column("brand", "text", fill=""),
        Column("price", "number", nullable=True),
        Column("in_stock", "flag"),
        Column("image_url", "text", nullable=True),
        Column("margin", "number", nullable=True),
    ),
    "orders": (
        Column("order_id", "id"),
        Column("shopper_id", "id"),
        Column("placed_at", "moment"),
        Column("channel", "text", fill=""),
    ),
    "order_lines": (
        Column("order_id", "id"),
        Column("product_id", "id"),
        Column("quantity", "number"),
        Column("unit_price", "number"),
        Column("discount", "number", fill=0.0),
    ),
    "shoppers": (Column("shopper_id", "id"),),
}
"""The contract tables. `shoppers` has one further nullable text column per mapped segment."""


def columns_of(table: str, mapped: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns of a contract table.

    Args:
        table: its name.
        mapped: the columns that the mapping gives; those that the contract does not know are segments.
    """
    fixed = CONTRACT[table]
    names = {column.name for column in fixed}
    return fixed + tuple(Column(name, "text", nullable=True) for name in mapped if name not in names)


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """Return the schema in which a contract table is written."""
    return pa.schema([pa.field(column.name, _ARROW[column.kind], column.nullable) for column in columns])
