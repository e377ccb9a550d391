"""What ranking for a shadow arm took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("exposures", sa.Column("shadow_ms", sa.Text))
