"""Fixtures of the data door's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.features.data.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A tiny shop in a folder of its own."""
    return Shop(tmp_path)
