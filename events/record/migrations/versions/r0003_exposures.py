"""What our answers showed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0003"
down_revision = "0002"


def _key() -> TypeEngine[str]:
    return sa.String(256).with_variant(sa.String(256, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "exposures",
        sa.Column("request_id", _key(), primary_key=True),
        sa.Column("mark", _key(), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("session_id", sa.String(256)),
        sa.Column("shopper_id", sa.String(256)),
        sa.Column("anonymous_id", sa.String(256)),
        sa.Column("unit", sa.String(256), nullable=False),
        sa.Column("experiment", sa.String(256)),
        sa.Column("experiment_arm", sa.String(256)),
        sa.Column("ranking_arm", sa.String(256), nullable=False),
        sa.Column("model_version", sa.String(256), nullable=False),
        sa.Column("rules_version", sa.String(256)),
        sa.Column("fallback", sa.Text),
        sa.Column("checkout_step", sa.Integer),
        sa.Column("cart_size", sa.Integer, nullable=False),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("explored", sa.Boolean, nullable=False),
        sa.Column("shadow", sa.Text),
    )
    op.create_index("ix_exposures_at", "exposures", ["at"])
    op.create_index("ix_exposures_session_at", "exposures", ["session_id", "at"])
    op.create_table(
        "exposure_lines",
        sa.Column("request_id", _key(), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("product_id", sa.String(256), nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("propensity", sa.Double),
        sa.Column("price", sa.Double),
        sa.Column("worth", sa.Double),
    )
