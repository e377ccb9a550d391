"""A record on each database there is, as the record's own tests have it, with the tables of exposures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.events.record.conftest import new_record
from tests.events.record.support import Record
from tests.monitoring.experiments.support import Shop

__all__ = ["new_record", "shop"]


@pytest.fixture
def shop(new_record: Callable[[], Record]) -> Shop:
    """An empty shop."""
    return Shop(new_record())
