"""Exposures out of the event log, with all that their bodies tell, newest or oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from configs import Settings
from configs.errors import DataError
from events.contract import decode
from events.record.log import log_folder
from events.record.parquet import as_table, day_folder, live_files, once, read_days, read_files
from events.record.reading import opened
from events.record.tables import log_tail

TRIES = 20


def logged_exposures(settings: Settings, *, newest_first: bool, since: float = 0.0) -> Iterator[pa.Table]:
    """Yield the exposures of the log: the newest events, and the files of each day, as `events.record.parquet.SCHEMA`.

    A caller that has enough stops. What moves from the database to a file meanwhile may be told twice; nothing is left
    out. Within a table the order is that of time.

    Args:
        settings: whose log. newest_first: whether the newest come first. since: days before this (unix seconds) are not
            read.

    Raises:
        ConfigError, DataError: the record cannot be read.
    """
    folder, first = log_folder(settings), datetime.fromtimestamp(since, UTC).date()
    days = [day for day in read_days(folder) if day >= first]
    if newest_first:
        tail = _tail(settings)
        yield tail
        for day in reversed(days):
            yield _day(settings, day)
        return
    for day in days:
        yield _day(settings, day)
    yield _tail(settings)


def _tail(settings: Settings) -> pa.Table:
    with opened(settings) as connection:
        bodies = [] if connection is None else list(connection.execute(select(log_tail.c.body)).scalars())
    events = (decode(body) for body in bodies)
    return once(as_table(event for event in events if event.exposure is not None))


def _day(settings: Settings, day: date) -> pa.Table:
    for _ in range(TRIES):
        try:
            files = live_files(day_folder(log_folder(settings), day))
            tables = (_exposures(read_files([path])) for path in files)  # one at a time: the rest is not kept
            return once(pa.concat_tables([as_table([]), *tables]).combine_chunks())
        except FileNotFoundError:
            continue  # compacted since it was listed
    raise DataError(f"The event log of {day} changes faster than it can be read.")


def _exposures(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.equal(rows["kind"], "exposure"))
