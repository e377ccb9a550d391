"""Which ids are the same person, and who asked to be forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"


def _key(length: int) -> TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "links",
        sa.Column("owner", _key(256), primary_key=True),
        sa.Column("other", _key(257), primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_table(
        "suppressed",
        sa.Column("digest", _key(64), primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
    )
