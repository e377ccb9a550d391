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
from events.contract import decode, ids_of, returned_order
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
from events.record.rows import LATEST
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
from events.suppression import digest, order_digest

FOR_GOOD = LATEST
"""Up to when the refunds of an erased person's orders are to be forgotten: nobody knows the order any more."""
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
    anything of the person back, nor of giving back the person's orders, which the shop may tell in its own name. The
    database forgets who is linked with whom last, so that a wish that failed
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
                    placed = _orders_of(connection, ids)  # all: nobody writes meanwhile who has not seen the list
                    suppress(connection, {order_digest(order_id): FOR_GOOD for order_id in placed})
                    _remove_unfinished(self._folder)
                in_files = erase_from_log(self._folder, ids, placed)
            with engine.begin() as connection:
                removed = erase_from_tables(connection, ids, placed) | {"events in files": in_files}
            return Part("system of record", removed, _free_bytes(engine))
        except SQLAlchemyError as error:
            raise PartError(described(engine.url, "does not answer", error)) from None
        except (OSError, DataError) as error:
            raise PartError(f"The event log cannot be rewritten: {error}") from None
        finally:
            engine.dispose()


def erase_from_log(folder: Path, ids: Sequence[str], placed: Sequence[str] = ()) -> int:
    """Rewrite the files that hold a person, or tell of giving back orders `placed`; return how many rows that removed.

    Nobody may compact meanwhile. Readers see each other event in exactly one file at every moment.

    Raises:
        DataError: a file cannot be read.
    """
    return sum(_erase_from_day(folder, day, ids, placed) for day in read_days(folder))


def erase_from_tables(connection: Connection, ids: Sequence[str], placed: Sequence[str]) -> dict[str, int]:
    """Delete the rows of a person who placed these orders, and return how many by kind."""
    return {
        "refunds": _delete_refunds(connection, ids, placed),
        "orders": _delete_family(connection, orders, order_lines, "order_id", _names(orders, ids)),
        "outcomes": _delete_family(connection, outcomes, outcome_lines, "message_id", _names(outcomes, ids)),
        "exposures": _delete_family(connection, exposures, exposure_lines, "request_id", _names(exposures, ids)),
        "events in the database": _delete_from_tail(connection, set(ids), set(placed)),
        "links": _delete_links(connection, ids),
    }


def _erase_from_day(folder: Path, day: date, ids: Sequence[str], placed: Sequence[str]) -> int:
    target = day_folder(folder, day)
    present = listed(target)
    live = set(live_files(target))
    dead = [path for path in present if path not in live]
    held = {path: count for path in present if path in live and (count := rows_of(path, ids, placed))}
    # What no longer counts is replaced too: it cannot come back whatever is removed first.
    fresh = {write_part(folder, day, rows_without(path, ids, placed), replaces=[path, *dead]): path for path in held}
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


def _orders_of(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Return the ids of the orders that a person placed."""
    return list(connection.execute(select(orders.c.order_id).where(_names(orders, ids))).scalars())


def _delete_refunds(connection: Connection, ids: Sequence[str], placed: Sequence[str]) -> int:
    """Delete what was paid back to a person, also where the shop told it in its own name."""
    deleted = _delete_family(connection, refunds, refund_lines, "message_id", _names(refunds, ids))
    for start in range(0, len(placed), KEYS_AT_A_TIME):
        of_theirs = refunds.c.order_id.in_(placed[start : start + KEYS_AT_A_TIME])
        deleted += _delete_family(connection, refunds, refund_lines, "message_id", of_theirs)
    return deleted


def _names(table: Table, ids: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(table.c[name].in_(ids) for name in PERSON if name in table.c))


def _delete_family(connection: Connection, parent: Table, child: Table, key: str, theirs: ColumnElement[bool]) -> int:
    connection.execute(delete(child).where(child.c[key].in_(select(parent.c[key]).where(theirs))))
    return connection.execute(delete(parent).where(theirs)).rowcount


def _delete_from_tail(connection: Connection, ids: set[str], placed: set[str]) -> int:
    """Delete events from the tail; who they are of, or which order, stands only in their bytes."""
    found: list[str] = []
    piecewise = select(log_tail.c.message_id, log_tail.c.body).execution_options(yield_per=KEYS_AT_A_TIME)
    for row in connection.execute(piecewise):
        event = decode(row.body)
        if not ids.isdisjoint(ids_of(event)) or returned_order(event) in placed:
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
