"""Reading the record: orders for the offline features, with the shopper that each turned out to be of."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from configs import Settings
from configs.errors import DataError
from events.record.database import KEYS_AT_A_TIME, database_url, described, open_database
from events.record.tables import exposures, links, log_tail, order_lines, orders, outcomes, refunds
from events.shopper.identity import MOST_IDS, is_shared, newest_links, reached, users_of

ORDER_COLUMNS = ("order_id", "placed_at", "received_at", "shopper_id", "anonymous_id", "session_id", "channel")
LINE_COLUMNS = ("order_id", "product_id", "quantity", "unit_price", "discount")


def read_orders(settings: Settings) -> tuple[list[Sequence[Any]], list[Sequence[Any]]]:
    """Return the recorded orders (ORDER_COLUMNS) and their lines (LINE_COLUMNS), in order of id; none without a record.

    The shopper of an order that was placed anonymously is the user whom `identify` or `alias` linked with its
    anonymous id, be it before or after; the person's root, if there are several.

    Raises:
        ConfigError: the database's URL cannot be used. DataError: the database cannot be read.
    """
    with opened(settings) as connection:
        if connection is None:
            return [], []
        found = connection.execute(select(*(orders.c[name] for name in ORDER_COLUMNS)).order_by(orders.c.order_id))
        rows = [row._asdict() for row in found]
        users = _users_of_anonymous(connection)
        for row in rows:
            row["shopper_id"] = row["shopper_id"] or users.get(row["anonymous_id"])
        lines = connection.execute(
            select(*(order_lines.c[name] for name in LINE_COLUMNS)).order_by(order_lines.c.order_id, order_lines.c.line)
        )
        return [tuple(row.values()) for row in rows], [tuple(row) for row in lines]


def orders_digest(settings: Settings) -> str:
    """Return text that changes when a recorded order does, or whose it is.

    Raises:
        ConfigError, DataError: as `read_orders`.
    """
    digest = hashlib.sha256()
    with opened(settings) as connection:
        if connection is not None:
            named = select(orders.c.order_id, orders.c.mark, orders.c.shopper_id, orders.c.anonymous_id)
            users = _users_of_anonymous(connection)
            for row in connection.execute(named.order_by(orders.c.order_id)):
                user = "" if row.shopper_id is not None else users.get(row.anonymous_id, "")
                digest.update(f"{row.order_id}\n{row.mark}\n{user}\n".encode())
    return digest.hexdigest()


def row_counts(settings: Settings) -> dict[str, int]:
    """Return how many rows each table of the record holds, by name; empty while nothing has ever been recorded.

    Raises:
        ConfigError, DataError: as `read_orders`.
    """
    with opened(settings) as connection:
        if connection is None:
            return {}
        present = set(inspect(connection).get_table_names())
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (orders, refunds, outcomes, exposures, log_tail, links)
            if table.name in present
        }


def ids_of_person(settings: Settings, ids: Iterable[str]) -> set[str]:
    """Return the ids that the record knows to be of the same person as any of the given ones, and those themselves.

    Raises:
        ConfigError, DataError: as `read_orders`.
    """
    start = set(ids)
    with opened(settings) as connection:
        if connection is None or not inspect(connection).has_table(links.name):
            return start
        kept = _links_around(connection, start)
    return start.union(*(reached(an_id, kept.__getitem__) for an_id in start))


def _users_of_anonymous(connection: Connection) -> dict[str, str]:
    """Return whose each anonymous id with orders is, for those that somebody is known for."""
    if not inspect(connection).has_table(links.name):
        return {}
    nobody = orders.c.shopper_id.is_(None) & orders.c.anonymous_id.is_not(None)
    anonymous = connection.execute(select(orders.c.anonymous_id).distinct().where(nobody)).scalars().all()
    kept = _links_around(connection, anonymous)
    users = {an_id: users_of(reached(an_id, kept.__getitem__)) for an_id in anonymous}
    return {an_id: min(found) for an_id, found in users.items() if found}


def _links_around(connection: Connection, ids: Iterable[str]) -> defaultdict[str, list[str]]:
    """Return the links of ids and of all that a walk from them may come to, newest first."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    wanted = set(ids)
    for _ in range(MOST_IDS):
        if not wanted:
            break
        fresh = _links_of(connection, sorted(wanted))
        found |= fresh
        seen |= wanted
        wanted = {other[1:] for told in fresh.values() if not is_shared(told) for other in told} - seen
    return found


def _links_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    told: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for start in range(0, len(ids), KEYS_AT_A_TIME):
        chosen = select(links).where(links.c.owner.in_(ids[start : start + KEYS_AT_A_TIME]))
        for row in connection.execute(chosen):
            told[row.owner].append((row.other, row.at))
    return {owner: newest_links(pairs) for owner, pairs in told.items()}


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Connection | None]:
    """Yield a connection that reads in one transaction, None while nothing has ever been recorded.

    Raises:
        ConfigError, DataError: as `read_orders`.
    """
    url = database_url(settings)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        yield None
        return
    engine = open_database(settings, write=False)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # lines and orders of one moment
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection if inspect(connection).has_table(orders.name) else None
    except SQLAlchemyError as error:
        raise DataError(described(url, "cannot be read", error)) from None
    finally:
        engine.dispose()
