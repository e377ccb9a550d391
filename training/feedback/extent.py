"""What the record holds to learn from, as text: what makes examples stale, and what does not."""

from __future__ import annotations

import hashlib
import time

from sqlalchemy import Connection, Table, func, inspect, select

from configs import Settings
from configs.dataset import load_dataset
from events.record.attribution import with_exposures
from events.record.tables import exposures, orders, outcomes, refunds
from training.feedback.span import closed_until, is_learned_from


def feedback_fingerprint(settings: Settings) -> str:
    """Return text that changes when what may be learned of exposures does; "" if there is nothing.

    Raises:
        ConfigError: the mapping or the record's URL cannot be used. DataError: the record cannot be read.
    """
    clock = load_dataset(settings).clock
    return extent(settings, closed_until(clock, time.time())) if is_learned_from(settings, clock) else ""


def extent(settings: Settings, closed: float) -> str:
    """Return text that changes when rows received before a moment (unix seconds) do; "" if nothing was shown.

    Told are, per table, how many rows there are, and the first and the last mark. So a day that is over changes it, and
    so does a person who is erased; an event of today does not, and nor does compacting the log's files, as that changes
    no event.

    Raises:
        ConfigError, DataError: as `feedback_fingerprint`.
    """
    with with_exposures(settings) as connection:
        if connection is None or not _rows(connection, exposures, closed):
            return ""
        there = [table for table in (exposures, outcomes, orders, refunds) if inspect(connection).has_table(table.name)]
        told = "\n".join(_rows(connection, table, closed) for table in there)
        return hashlib.sha256(told.encode()).hexdigest()


def _rows(connection: Connection, table: Table, closed: float) -> str:
    at = table.c.received_at if "received_at" in table.c else table.c.at  # of an exposure they are the same
    asked = select(func.count(), func.min(table.c.mark), func.max(table.c.mark)).where(at < closed)
    count, first, last = connection.execute(asked).one()
    return f"{table.name} {count} {first} {last}" if count else ""
