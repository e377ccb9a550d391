"""Aliases out of MLflow's database, as it lays them out in 3.x; a test holds this against MLflow's own client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import and_, column, create_engine, select, table
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from training.following.base import AliasSource, Held, RegistryError

_ALIASES = table("registered_model_aliases", column("name"), column("alias"), column("version"))
_VERSIONS = table("model_versions", column("name"), column("version"), column("source"))
_TAGS = table("model_version_tags", column("name"), column("version"), column("key"), column("value"))


class DatabaseAliases(AliasSource):
    """Reads a database that MLflow keeps its registry in, SQLite or another; never writes to it.

    Args:
        url: SQLAlchemy's. model: name of the registered model.
    """

    def __init__(self, url: str, model: str) -> None:
        parsed = make_url(url)
        self._file = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
        if self._file is not None:
            url = f"sqlite:///file:{self._file}?mode=ro&uri=true"  # looking must not make an empty registry
        self._engine: Engine = create_engine(url, pool_pre_ping=True)
        self._model = model

    def stamp(self) -> Any:
        """Return times and sizes of SQLite's files; None for another database."""
        if self._file is None:
            return None
        files = [self._file, self._file.with_name(f"{self._file.name}-wal")]
        return tuple((found.st_mtime_ns, found.st_size) for found in (path.stat() for path in files if path.exists()))

    def held(self, alias: str) -> Held | None:
        """Return the version that has an alias; None if none has."""
        if self._file is not None and not self._file.exists():
            raise RegistryError(f"there is no registry in {self._file}")
        same = [_ALIASES.c.name == _VERSIONS.c.name, _ALIASES.c.version == _VERSIONS.c.version]
        tagged = [_TAGS.c.name == _VERSIONS.c.name, _TAGS.c.version == _VERSIONS.c.version, _TAGS.c.key == "package"]
        query = (
            select(_VERSIONS.c.version, _TAGS.c.value, _VERSIONS.c.source)
            .select_from(_ALIASES.join(_VERSIONS, and_(*same)).join(_TAGS, and_(*tagged)))
            .where(_ALIASES.c.name == self._model, _ALIASES.c.alias == alias)
        )
        try:
            with self._engine.connect() as connection:
                row = connection.execute(query).first()
        except SQLAlchemyError as error:
            raise RegistryError(f"the registry's database cannot be read: {str(error).splitlines()[0]}") from None
        return None if row is None else Held(str(row[0]), str(row[1]), str(row[2]))
