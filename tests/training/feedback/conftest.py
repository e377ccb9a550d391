"""A shop with baskets and a record to which answers and what came of them are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import Settings
from tests.events.record.support import Record
from tests.support.shop import shop_settings
from tests.training.feedback.rehearsal import Rehearsal


@pytest.fixture
def rehearsal(built_shop: Settings, tmp_path: Path, record_url: str | None) -> Iterator[Rehearsal]:
    """The corner shop's data, an empty record beside them, and settings that learn from it."""
    told = {"feedback": {"rehearsals": True, "least_draws": 1}, "record": {"database_url": record_url}}
    settings = shop_settings(tmp_path, **told)
    shutil.copytree(built_shop.work.data, settings.work.data)
    record = Record(tmp_path, record_url)
    yield Rehearsal(settings, record)
    record.engine.dispose()
