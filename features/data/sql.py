"""Reading a database table through SQLAlchemy."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, exc, func, make_url, select
from sqlalchemy.sql import FromClause

from configs.errors import ConfigError, DataError
from configs.mapping import SqlSource

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def read_table(source: SqlSource, columns: Sequence[str], folder: Path) -> pd.DataFrame:
    """Return the needed columns of a database table; integers with missing values stay integers.

    Args:
        source: URL and table.
        columns: the needed columns.
        folder: where the path of a relative SQLite file starts.

    Raises:
        ConfigError: the URL cannot be used, or names an environment variable that is not set.
        DataError: the database cannot be reached, or lacks the table or a column.
    """
    with opened(source, columns, folder) as (connection, table):
        query = select(*(table.c[column] for column in columns))
        return pd.read_sql(query, connection, dtype_backend="numpy_nullable")


def table_digest(source: SqlSource, columns: Sequence[str], folder: Path, *, every_row: bool) -> str:
    """Return text that changes when the table does.

    Args:
        source: URL and table.
        columns: the columns that matter.
        folder: where the path of a relative SQLite file starts.
        every_row: True reads all rows; False asks the database only for the number of rows and each column's
            maximum, which sees what was appended but not every change of an old row.

    Raises:
        ConfigError, DataError: as `read_table`.
    """
    with opened(source, columns, folder) as (connection, table):
        if not every_row:
            extremes = select(func.count(), *(func.max(table.c[column]) for column in columns))
            return repr(tuple(connection.execute(extremes).one()))
        rows = connection.execute(select(*(table.c[column] for column in columns)))
        return "\n".join(sorted(repr(tuple(row)) for row in rows))


@contextlib.contextmanager
def opened(source: SqlSource, columns: Sequence[str], folder: Path) -> Iterator[tuple[Connection, FromClause]]:
    """Yield a connection and the described table, and close what was opened.

    Raises:
        ConfigError, DataError: as `read_table`.
    """
    engine = _engine(source, folder)
    where = f"{engine.url.render_as_string(hide_password=True)}, table {source.table}"
    schema, _, name = source.table.rpartition(".")
    try:
        with engine.connect() as connection:
            table = Table(name, MetaData(), schema=schema or None, autoload_with=connection)
            missing = [column for column in columns if column not in table.c]
            if missing:
                raise DataError(
                    f"{where} has no column {missing[0]!r}, which the mapping names; "
                    f"it has: {', '.join(table.c.keys())}."
                )
            yield connection, table
    except exc.NoSuchTableError:
        raise DataError(f"{where}: there is no such table or view. Correct the mapping's table.") from None
    except exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DataError(f"{where} cannot be read: {reason}") from None
    finally:
        engine.dispose()


def _engine(source: SqlSource, folder: Path) -> Engine:
    try:
        url = make_url(_with_variables(source.url))
        if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
            url = url.set(database=str(_existing(folder / url.database)))
        return create_engine(url)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The database URL for table {source.table} needs the Python package {error.name}, which is not "
            "installed: install it, or name another driver in the URL."
        ) from None
    except exc.ArgumentError:
        raise ConfigError(
            f"The source of table {source.table} is no SQLAlchemy URL; expected a form such as "
            "postgresql+psycopg://user:${PASSWORD}@host/database or sqlite:///file.db."
        ) from None


def _existing(path: Path) -> Path:
    # SQLite would create an empty database.
    if not path.is_file():
        raise DataError(f"{path} does not exist. Put the database there, or correct the URL in the mapping.")
    return path


def _with_variables(url: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise ConfigError(f"The mapping's database URL uses ${{{name}}}, but that variable is not set.")
        return os.environ[name]

    return _VARIABLE.sub(value, url)
