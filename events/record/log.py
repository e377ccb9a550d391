"""The event log: its tail in the database, the rest in Parquet files, which are made in bulk and compacted."""

from __future__ import annotations

import fcntl
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine, bindparam, delete, func, select

from configs import Settings
from events.contract import Event, decode
from events.record.parquet import (
    as_table,
    day_folder,
    day_of,
    each_once,
    listed,
    live_files,
    once,
    read_day,
    read_days,
    write_part,
)
from events.record.tables import log_tail
from events.record.writing import without_suppressed

MOST_AT_A_TIME = 200_000
"""Events that one file takes at most."""
LOCK = ".compacting"
"""File below the log's folder that whoever replaces files holds."""
GRACE = timedelta(hours=1)
"""A day is closed so long after its end: what was received in it has been consumed by then."""


def log_folder(settings: Settings) -> Path:
    """Return the folder of the log's files."""
    return settings.work.record / "events"


def is_due(engine: Engine, settings: Settings, now: float) -> bool:
    """Return whether the tail is long or old enough to become a file."""
    with engine.begin() as connection:
        count, oldest = connection.execute(select(func.count(), func.min(log_tail.c.stored_at))).one()
    old = oldest is not None and now - float(oldest) >= settings.record.flush_seconds
    return old or int(count) >= settings.record.flush_events


def flush(engine: Engine, folder: Path) -> int:
    """Move the tail into one file a day of receipt, and return how many events went.

    The files are durable before the tail forgets them. A crash in between leaves them in both, which counts once.
    """
    chosen = select(log_tail.c.message_id, log_tail.c.mark, log_tail.c.body).order_by(log_tail.c.message_id)
    # Another writer takes other rows. (SQLite has one writer at a time and ignores this.)
    chosen = chosen.limit(MOST_AT_A_TIME).with_for_update(skip_locked=True)
    with engine.begin() as connection:
        rows = connection.execute(chosen).all()
        by_day: defaultdict[date, list[Event]] = defaultdict(list)
        for event in without_suppressed(connection, [decode(row.body) for row in rows]):
            by_day[day_of(event)].append(event)
        for day, events in by_day.items():
            write_part(folder, day, [as_table(events)])
        if rows:
            gone = delete(log_tail).where(log_tail.c.message_id == bindparam("id"), log_tail.c.mark == bindparam("at"))
            connection.execute(gone, [{"id": row.message_id, "at": row.mark} for row in rows])
    return len(rows)


def compact(folder: Path, now: float) -> dict[date, int]:
    """Make one file of each closed day that has several, each event once; return how many files each had.

    Needs memory for the ids of one day's events. A second process that tries at the same time does nothing.

    Args:
        folder: of the log.
        now: unix seconds.
    """
    if not folder.is_dir():
        return {}
    closed = (datetime.fromtimestamp(now, UTC) - GRACE).date()
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return {}
        found = {day: _compact_day(folder, day, now) for day in read_days(folder) if day < closed}
    return {day: files for day, files in found.items() if files}


def read_log(engine: Engine, folder: Path) -> pa.Table:
    """Return the whole log, each event once, in order of time: columns as `events.record.parquet.SCHEMA`."""
    # The tail first: what moves to a file meanwhile is then seen twice rather than never.
    with engine.begin() as connection:
        tail = [decode(body) for body in connection.execute(select(log_tail.c.body)).scalars()]
    days = [read_day(folder, day) for day in read_days(folder)]
    return once(pa.concat_tables([as_table(tail), *days]).combine_chunks())


def read_exposures(connection: Connection, folder: Path, since: float, until: float, most: int) -> pa.Table:
    """Return exposures of the log, each once, in order of time: columns as `events.record.parquet.SCHEMA`.

    Only what is asked for is read, day by day from the newest on.

    Args:
        connection: to the database that holds the log's tail.
        folder: of the log.
        since, until: unix seconds: received at or after the one, before the other.
        most: of more the newest are returned.
    """
    bodies = connection.execute(select(log_tail.c.body)).scalars()
    tail = as_table(event for event in map(decode, bodies) if event.kind == "exposure")
    found = once(_between(tail, since, until))
    for day in reversed(read_days(folder)):
        start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        if start + 86_400 <= since or len(found) >= most:
            break
        if start < until:
            rows = _between(read_day(folder, day, "exposure"), since, until)
            found = once(pa.concat_tables([found, rows]).combine_chunks())
    return found.slice(max(0, len(found) - most))


def _between(rows: pa.Table, since: float, until: float) -> pa.Table:
    at = rows["received_at"]
    first, end = (pa.scalar(round(moment * 1e6), pa.int64()).cast(at.type) for moment in (since, until))
    return rows.filter(pc.and_(pc.greater_equal(at, first), pc.less(at, end)))


def _compact_day(folder: Path, day: date, now: float) -> int:
    """Compact one day, and remove what no longer counts: also what was left by a compaction that was killed."""
    target = day_folder(folder, day)
    present = listed(target)
    files = [path for path in live_files(target) if path in present]
    if len(files) > 1:
        # It replaces all that is present, dead or alive: nothing can come back whatever is removed first.
        write_part(folder, day, each_once(files), replaces=present)
    live = set(live_files(target))
    dead = [path for path in present if path not in live]
    dead += [path for path in target.glob(".part-*.partial") if path.stat().st_mtime < now - GRACE.total_seconds()]
    for path in dead:
        path.unlink()
    return len(files) if len(files) > 1 else 0
