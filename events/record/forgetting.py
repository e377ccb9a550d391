"""Erasing a person in the system of record: rows of every table, and the event log's files."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, or_, select
from sqlalchemy.exc import SQLAlchemyError

from configs import Settings
from configs.errors import DataError, PartError
from events.contract import decode, ids_of
from events.erasure import Part
from events.record.database import KEYS_AT_A_TIME, described, migrate, open_database
from events.record.log import LOCK, log_folder
from events.record.parquet import (
    PERSON,
    day_folder,
    is_empty,
    listed,
    live_files,
    read_days,
    remove,
    rows_of,
    rows_without,
    write_part,
)
from events.record.tables import (
    exposure_lines,
    exposures,
    links,
    log_tail,
    order_lines,
    orders,
    outcome_lines,
    outcomes,
    refund_lines,
    refunds,
)
from events.record.writing import suppress
from events.shopper.identity import ANONYMOUS, PREVIOUS, USER
from events.suppression import digest

VACUUMED_LATER = (
    "The rows are deleted and nobody can read them; PostgreSQL frees their bytes at the next VACUUM of the tables "
    "(autovacuum does it by itself), and its write-ahead log and your backups keep them as long as you keep those."
)
LOG_IN_USE = (
    "The rows are gone, but somebody was reading: the bytes stay in the file record.db-wal until SQLite next empties "
    "it. Send the wish again."
)


class RecordEraser:
    """Orders, refunds, outcomes, exposures, links and the event log, in SQL and Parquet.

    First the list of who was erased is written, and from then on neither the recorder nor the log's flush brings
    anything of the person back. The database forgets who is linked with whom last, so that a wish that failed
    halfway still finds every id when it is made again.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._folder = settings, log_folder(settings)

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`.

        Raises:
            PartError: the database does not answer, or a file of the log cannot be read or written.
        """
        return await asyncio.to_thread(self._erase, ids, at)

    def _erase(self, ids: Sequence[str], at: float) -> Part:
        engine = open_database(self._settings, write=True)
        try:
            migrate(engine)  # the list is kept from the start, so that a recorder that starts later knows it
            with _alone(self._folder):
                with engine.begin() as connection:
                    suppress(connection, {digest(an_id): at for an_id in ids})
                    _remove_unfinished(self._folder)
                in_files = erase_from_log(self._folder, ids)
            with engine.begin() as connection:
                removed = erase_from_tables(connection, ids) | {"events in files": in_files}
            return Part("system of record", removed, _free_bytes(engine))
        except SQLAlchemyError as error:
            raise PartError(described(engine.url, "does not answer", error)) from None
        except (OSError, DataError) as error:
            raise PartError(f"The event log cannot be rewritten: {error}") from None
        finally:
            engine.dispose()


def erase_from_log(folder: Path, ids: Sequence[str]) -> int:
    """Rewrite the files that hold a person, without; return how many rows that took away.

    Nobody may compact meanwhile. Readers see each other event in exactly one file at every moment.

    Raises:
        DataError: a file cannot be read.
    """
    return sum(_erase_from_day(folder, day, ids) for day in read_days(folder))


def erase_from_tables(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Delete the rows of a person, and return how many by kind."""
    refunded = _delete_refunds(connection, ids)  # while their orders are known
    return {
        "refunds": refunded,
        "orders": _delete_family(connection, orders, order_lines, "order_id", ids),
        "outcomes": _delete_family(connection, outcomes, outcome_lines, "message_id", ids),
        "exposures": _delete_family(connection, exposures, exposure_lines, "request_id", ids),
        "events in the database": _delete_from_tail(connection, set(ids)),
        "links": _delete_links(connection, ids),
    }


def _erase_from_day(folder: Path, day: date, ids: Sequence[str]) -> int:
    target = day_folder(folder, day)
    present = listed(target)
    live = set(live_files(target))
    dead = [path for path in present if path not in live]
    held = {path: count for path in present if path in live and (count := rows_of(path, ids))}
    # What no longer counts is replaced too: it cannot come back whatever is removed first.
    fresh = {write_part(folder, day, rows_without(path, ids), replaces=[path, *dead]): path for path in held}
    if held or dead:
        remove(target, [*held, *dead])
    empty = [path for path in fresh if is_empty(path)]
    if empty:
        remove(target, empty)
    return sum(held.values())


def _remove_unfinished(folder: Path) -> None:
    """Remove files that a killed process left half-written; nobody may be writing one."""
    for partial in folder.glob("day=*/.part-*.partial"):
        partial.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep compactions away, and wait for one that is under way."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _delete_refunds(connection: Connection, ids: Sequence[str]) -> int:
    """Delete what was paid back to a person, also where the shop told it in its own name."""
    of_theirs = refunds.c.order_id.in_(select(orders.c.order_id).where(_names(orders, ids)))
    theirs = select(refunds.c.message_id).where(or_(of_theirs, _names(refunds, ids)))
    connection.execute(delete(refund_lines).where(refund_lines.c.message_id.in_(theirs)))
    return connection.execute(delete(refunds).where(refunds.c.message_id.in_(theirs))).rowcount


def _names(table: Table, ids: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(table.c[name].in_(ids) for name in PERSON if name in table.c))


def _delete_family(connection: Connection, parent: Table, child: Table, key: str, ids: Sequence[str]) -> int:
    theirs = _names(parent, ids)
    connection.execute(delete(child).where(child.c[key].in_(select(parent.c[key]).where(theirs))))
    return connection.execute(delete(parent).where(theirs)).rowcount


def _delete_from_tail(connection: Connection, ids: set[str]) -> int:
    """Delete events from the tail; who they are of stands only in their bytes."""
    found: list[str] = []
    piecewise = select(log_tail.c.message_id, log_tail.c.body).execution_options(yield_per=KEYS_AT_A_TIME)
    for row in connection.execute(piecewise):
        if not ids.isdisjoint(ids_of(decode(row.body))):
            found.append(row.message_id)
    for start in range(0, len(found), KEYS_AT_A_TIME):
        some = found[start : start + KEYS_AT_A_TIME]
        connection.execute(delete(log_tail).where(log_tail.c.message_id.in_(some)))
    return len(found)


def _delete_links(connection: Connection, ids: Sequence[str]) -> int:
    ends = [what + an_id for an_id in ids for what in (USER, ANONYMOUS, PREVIOUS)]
    return connection.execute(delete(links).where(or_(links.c.owner.in_(ids), links.c.other.in_(ends)))).rowcount


def _free_bytes(engine: Engine) -> str | None:
    """Free the bytes of deleted rows; return what is left of them, None if nothing.

    SQLite only marks them as free, also those of rows that moved to files long ago: the database is written afresh.
    """
    if engine.dialect.name == "postgresql":
        return VACUUMED_LATER
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM")
        busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        raw.close()
    return LOG_IN_USE if busy else None
