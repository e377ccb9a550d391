"""The two tables of exposures as they are read here: what was shown, and the products of it.

They are written, and made, by the system of record. Only the columns that are read stand here.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Integer, MetaData, String, Table
from sqlalchemy.types import TypeEngine

from events.contract import MAX_ID

metadata = MetaData()


def _key() -> TypeEngine[str]:
    return String(MAX_ID).with_variant(String(MAX_ID, collation="C"), "postgresql")


exposures = Table(
    "exposures",
    metadata,
    Column("request_id", _key(), primary_key=True),
    Column("at", Double, nullable=False),
    Column("session_id", String(MAX_ID)),
    Column("unit", String(MAX_ID), nullable=False),
    Column("experiment", String(MAX_ID)),
    Column("experiment_arm", String(MAX_ID)),
    Column("fallback", String),
    Column("cart_size", Integer, nullable=False),
    Column("latency_ms", Double, nullable=False),
    Column("explored", Boolean, nullable=False),
    Column("shadow", String),
)

exposure_lines = Table(
    "exposure_lines",
    metadata,
    Column("request_id", _key(), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("product_id", String(MAX_ID), nullable=False),
    Column("propensity", Double),
    Column("price", Double),
    Column("worth", Double),
)
