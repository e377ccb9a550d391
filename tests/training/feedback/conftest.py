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
def rehearsal(built_shop: Settings, tmp_path: Path) -> Iterator[Rehearsal]:
    """The corner shop's data, an empty record beside them, and settings that learn from it."""
    settings = shop_settings(tmp_path, feedback={"rehearsals": True, "least_draws": 1})
    shutil.copytree(built_shop.work.data, settings.work.data)
    record = Record(tmp_path)
    yield Rehearsal(settings, record)
    record.engine.dispose()
