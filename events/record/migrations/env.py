"""Alembic runs this file for each command, on the connection that `events.record.database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from events.record.tables import metadata


def run() -> None:
    """Run the migrations that are missing."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if hasattr(context, "config"):  # only where Alembic runs it
    run()
