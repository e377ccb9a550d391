"""Orders, outcomes, and the tail of the event log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None


def _key() -> TypeEngine[str]:
    return sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "orders",
        sa.Column("order_id", _key(), primary_key=True),
        sa.Column("mark", _key(), nullable=False),
        sa.Column("message_id", sa.String(256), nullable=False),
        sa.Column("placed_at", sa.Double, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("session_id", sa.String(256), nullable=False),
        sa.Column("shopper_id", sa.String(256)),
        sa.Column("anonymous_id", sa.String(256)),
        sa.Column("channel", sa.String(256)),
        sa.Column("value", sa.Double),
        sa.Column("discount", sa.Double, nullable=False),
        sa.Column("currency", sa.String(256)),
        sa.Column("coupon", sa.String(256)),
    )
    op.create_index("ix_orders_placed_at", "orders", ["placed_at"])
    op.create_index("ix_orders_shopper_id", "orders", ["shopper_id"])
    op.create_table(
        "order_lines",
        sa.Column("order_id", _key(), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True),
        sa.Column("product_id", sa.String(256), nullable=False),
        sa.Column("quantity", sa.Double, nullable=False),
        sa.Column("unit_price", sa.Double),
        sa.Column("discount", sa.Double, nullable=False),
    )
    op.create_table(
        "outcomes",
        sa.Column("message_id", _key(), primary_key=True),
        sa.Column("mark", _key(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("session_id", sa.String(256), nullable=False),
        sa.Column("shopper_id", sa.String(256)),
        sa.Column("anonymous_id", sa.String(256)),
        sa.Column("request_id", sa.String(256)),
        sa.Column("list_id", sa.String(256)),
    )
    op.create_index("ix_outcomes_request_id", "outcomes", ["request_id"])
    op.create_index("ix_outcomes_session_at", "outcomes", ["session_id", "at"])
    op.create_table(
        "outcome_lines",
        sa.Column("message_id", _key(), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True),
        sa.Column("product_id", sa.String(256), nullable=False),
        sa.Column("quantity", sa.Double, nullable=False),
        sa.Column("price", sa.Double),
        sa.Column("position", sa.Integer),
    )
    op.create_table(
        "log_tail",
        sa.Column("message_id", _key(), primary_key=True),
        sa.Column("mark", _key(), nullable=False),
        sa.Column("stored_at", sa.Double, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
