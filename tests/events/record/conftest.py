"""Fixtures of the record's tests: an empty record on each database there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.events.record.support import Record

NewRecord = Callable[[], Record]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewRecord]:
    """Make an empty record with its tables, each time it is called."""
    made: list[Record] = []

    def make() -> Record:
        url = request.getfixturevalue("new_postgres_url")() if request.param == "postgresql" else None
        made.append(Record(tmp_path / f"record{len(made)}", url))
        return made[-1]

    yield make
    for record in made:
        record.engine.dispose()


@pytest.fixture
def record(new_record: NewRecord) -> Record:
    """An empty record with its tables."""
    return new_record()
