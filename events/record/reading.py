"""Reading orders out of the record: what the offline features take in beside the shop's own tables."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from configs import Settings
from configs.errors import DataError
from events.record.database import database_url, open_database
from events.record.tables import order_lines, orders

ORDER_COLUMNS = ("order_id", "placed_at", "shopper_id", "anonymous_id", "session_id", "channel")
LINE_COLUMNS = ("order_id", "product_id", "quantity", "unit_price", "discount")


def read_orders(settings: Settings) -> tuple[list[Sequence[Any]], list[Sequence[Any]]]:
    """Return the recorded orders (ORDER_COLUMNS) and their lines (LINE_COLUMNS), in order of id; none without a record.

    Raises:
        ConfigError: the database's URL cannot be used. DataError: the database cannot be read.
    """
    with _opened(settings) as connection:
        if connection is None:
            return [], []
        found = connection.execute(select(*(orders.c[name] for name in ORDER_COLUMNS)).order_by(orders.c.order_id))
        lines = connection.execute(
            select(*(order_lines.c[name] for name in LINE_COLUMNS)).order_by(order_lines.c.order_id, order_lines.c.line)
        )
        return [tuple(row) for row in found], [tuple(row) for row in lines]


def orders_digest(settings: Settings) -> str:
    """Return text that changes when a recorded order does.

    Raises:
        ConfigError, DataError: as `read_orders`.
    """
    digest = hashlib.sha256()
    with _opened(settings) as connection:
        if connection is not None:
            for row in connection.execute(select(orders.c.order_id, orders.c.mark).order_by(orders.c.order_id)):
                digest.update(f"{row.order_id}\n{row.mark}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[Connection | None]:
    """Yield a connection in one transaction, None while nothing has ever been recorded."""
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
        where = url.render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DataError(f"The system of record ({where}) cannot be read: {reason}") from None
    finally:
        engine.dispose()
