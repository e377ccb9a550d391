"""Orders that were given back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"


def _key() -> TypeEngine[str]:
    return sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "refunds",
        sa.Column("message_id", _key(), primary_key=True),
        sa.Column("mark", _key(), nullable=False),
        sa.Column("order_id", _key(), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("received_at", sa.Double, nullable=False),
        sa.Column("session_id", sa.String(256), nullable=False),
        sa.Column("shopper_id", sa.String(256)),
        sa.Column("anonymous_id", sa.String(256)),
        sa.Column("value", sa.Double),
        sa.Column("currency", sa.String(256)),
    )
    op.create_index("ix_refunds_order_id", "refunds", ["order_id"])
    op.create_table(
        "refund_lines",
        sa.Column("message_id", _key(), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True),
        sa.Column("product_id", sa.String(256), nullable=False),
        sa.Column("quantity", sa.Double, nullable=False),
    )
