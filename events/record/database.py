"""The database of the system of record: opened by URL, brought up to date, written idempotently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, delete, event, exc, insert, make_url, text
from sqlalchemy.dialects import postgresql, sqlite

from configs import Settings
from configs.errors import ConfigError
from events.record.rows import Family, Row

SCRIPTS = Path(__file__).with_name("migrations")
KEYS_AT_A_TIME = 1_000
_MIGRATION_LOCK = 7_465_101
"""Any number: whoever migrates holds it."""


def database_url(settings: Settings) -> URL:
    """Return where the record lies.

    Raises:
        ConfigError: the setting is no URL of SQLite or PostgreSQL.
    """
    told = settings.record.database_url
    if told is None:
        return URL.create("sqlite", database=str(settings.work.record / "record.db"))
    try:
        url = make_url(told.get_secret_value())
    except exc.ArgumentError:
        url = None
    if url is None or url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise ConfigError(
            "record.database_url is no URL of SQLite or PostgreSQL; expected a form such as "
            "postgresql+psycopg://user:password@host/database or sqlite:////path/record.db."
        )
    return url


def open_database(settings: Settings, *, write: bool) -> Engine:
    """Return an engine; nothing is connected yet, and a SQLite file that is to be written gets its folder.

    Raises:
        ConfigError: as `database_url`.
    """
    url = database_url(settings)
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, connect_args={"client_encoding": "utf8", "connect_timeout": 5})
    if write:
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    # A writer takes the lock at once: one that begins by reading could not wait for it later.
    event.listen(
        engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
    )
    return engine


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; of several processes that try at once one does it and the others wait."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def described(url: URL, what: str, error: exc.SQLAlchemyError) -> str:
    """Return a sentence: which database, without its password, `what` it does not do, and why."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return f"The system of record ({url.render_as_string(hide_password=True)}) {what}: {reason}"


def store(connection: Connection, families: Iterable[Family]) -> None:
    """Write rows; of two with one key the one with the smaller mark stays, with its children."""
    for family in families:
        if not family.rows:
            continue
        # In the order of keys: two writers then wait for each other instead of blocking each other.
        rows = [family.rows[key] for key in sorted(family.rows)]
        upsert = _upsert(connection, family)
        if family.child is None:
            connection.execute(upsert, rows)
            continue
        key = family.parent.c[family.key]
        won = [row[0] for row in connection.execute(upsert.returning(key), rows)]
        _replace_children(connection, family.child, family.key, won, family.children)


def _replace_children(
    connection: Connection, child: Table, key: str, won: Sequence[str], children: Mapping[str, Sequence[Row]]
) -> None:
    for start in range(0, len(won), KEYS_AT_A_TIME):
        connection.execute(delete(child).where(child.c[key].in_(won[start : start + KEYS_AT_A_TIME])))
    rows = [row for parent in won for row in children[parent]]
    if rows:
        connection.execute(insert(child), rows)


def _upsert(connection: Connection, family: Family) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(family.parent)
    return statement.on_conflict_do_update(
        index_elements=[family.key],
        set_={column.name: statement.excluded[column.name] for column in family.parent.c if not column.primary_key},
        where=statement.excluded.mark < family.parent.c.mark,
    )


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")
