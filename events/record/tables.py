"""The tables of the system of record.

Each parent row has a `mark`, which orders all that was ever told under its key: the smallest wins, so that any order
and any repetition of deliveries leaves the same row. It starts with the time, so the first telling wins: a
thank-you page that is opened again does not move its order. Times are unix seconds.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.types import TypeEngine

from events.contract import MAX_ID

metadata = MetaData()


def _key(length: int = MAX_ID) -> TypeEngine[str]:
    """Return the type of text that is compared: by code points on every database, as Python does."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


orders = Table(
    "orders",
    metadata,
    Column("order_id", _key(), primary_key=True),
    Column("mark", _key(), nullable=False),
    Column("message_id", String(MAX_ID), nullable=False),
    Column("placed_at", Double, nullable=False, index=True),
    Column("received_at", Double, nullable=False),
    Column("session_id", String(MAX_ID), nullable=False),
    Column("shopper_id", String(MAX_ID), index=True),
    Column("anonymous_id", String(MAX_ID)),
    Column("channel", String(MAX_ID)),
    Column("value", Double),
    Column("discount", Double, nullable=False),
    Column("currency", String(MAX_ID)),
    Column("coupon", String(MAX_ID)),
)
"""Completed orders; `value` is what was paid, null if not told."""

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", _key(), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("product_id", String(MAX_ID), nullable=False),
    Column("quantity", Double, nullable=False),
    Column("unit_price", Double),
    Column("discount", Double, nullable=False),
)
"""What was in the orders; `line` counts from 0."""

refunds = Table(
    "refunds",
    metadata,
    Column("message_id", _key(), primary_key=True),
    Column("mark", _key(), nullable=False),
    Column("order_id", _key(), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("session_id", String(MAX_ID), nullable=False),
    Column("shopper_id", String(MAX_ID)),
    Column("anonymous_id", String(MAX_ID)),
    Column("value", Double),
    Column("currency", String(MAX_ID)),
)
"""Orders that were given back, as a whole or in part; `value` is what was paid back, null if not told."""

refund_lines = Table(
    "refund_lines",
    metadata,
    Column("message_id", _key(), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("product_id", String(MAX_ID), nullable=False),
    Column("quantity", Double, nullable=False),
)
"""What of the order; a refund without lines is of all of it."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("message_id", _key(), primary_key=True),
    Column("mark", _key(), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    Column("session_id", String(MAX_ID), nullable=False),
    Column("shopper_id", String(MAX_ID)),
    Column("anonymous_id", String(MAX_ID)),
    Column("request_id", String(MAX_ID), index=True),
    Column("list_id", String(MAX_ID)),
    Index("ix_outcomes_session_at", "session_id", "at"),
)
"""What came of showing products: kind is impression, click or add."""

outcome_lines = Table(
    "outcome_lines",
    metadata,
    Column("message_id", _key(), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("product_id", String(MAX_ID), nullable=False),
    Column("quantity", Double, nullable=False),
    Column("price", Double),
    Column("position", Integer),
)
"""The products of an outcome; `position` is the place in the list, from 1."""

exposures = Table(
    "exposures",
    metadata,
    Column("request_id", _key(), primary_key=True),
    Column("mark", _key(), nullable=False),
    Column("at", Double, nullable=False, index=True),
    Column("session_id", String(MAX_ID)),
    Column("shopper_id", String(MAX_ID)),
    Column("anonymous_id", String(MAX_ID)),
    Column("unit", String(MAX_ID), nullable=False),
    Column("experiment", String(MAX_ID)),
    Column("experiment_arm", String(MAX_ID)),
    Column("ranking_arm", String(MAX_ID), nullable=False),
    Column("model_version", String(MAX_ID), nullable=False),
    Column("rules_version", String(MAX_ID)),
    Column("fallback", Text),
    Column("checkout_step", Integer),
    Column("cart_size", Integer, nullable=False),
    Column("latency_ms", Double, nullable=False),
    Column("explored", Boolean, nullable=False),
    Column("shadow", Text),
    Column("shadow_ms", Text),
    Index("ix_exposures_session_at", "session_id", "at"),
)
"""Answers of ours: what each field means is told by `events.exposure.Exposure`; `shadow` is JSON, arm → product
ids, and `shadow_ms` arm → number."""

exposure_lines = Table(
    "exposure_lines",
    metadata,
    Column("request_id", _key(), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("product_id", String(MAX_ID), nullable=False),
    Column("score", Double, nullable=False),
    Column("propensity", Double),
    Column("price", Double),
    Column("worth", Double),
)
"""What they showed; `position` is the place in the list, from 0."""

log_tail = Table(
    "log_tail",
    metadata,
    Column("message_id", _key(), primary_key=True),
    Column("mark", _key(), nullable=False),
    Column("stored_at", Double, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""The newest events, which are not yet in a Parquet file: a quiet hour makes one file, not one a delivery."""

links = Table(
    "links",
    metadata,
    Column("owner", _key(), primary_key=True),
    Column("other", _key(MAX_ID + 1), primary_key=True),
    Column("at", Double, nullable=False),
)
"""Which ids `identify` and `alias` joined: `events.shopper.Link`, both sides of each; `at` of the newest telling."""

suppressed = Table(
    "suppressed",
    metadata,
    Column("digest", _key(64), primary_key=True),
    Column("at", Double, nullable=False),
)
"""Who asked to be forgotten: `events.suppression.digest` of each id, and `order_digest` of each order of theirs, whose
refunds the shop may tell in its own name; nothing of theirs up to `at` is written."""
