"""The ranker benchmark times every step and leaves its report. Its times are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.rankers import FLOOR, STEPS, measure, print_table
from configs import Settings
from configs.errors import ConfigError


def test_every_step_is_timed_and_reported(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("data", "features", "model"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    found = measure(Settings(**(built_shop.model_dump() | {"home": tmp_path})), 20)
    print_table(found)
    assert "cost / floor" in capsys.readouterr().out
    assert list(found) == [FLOOR, *STEPS]
    assert all(value > 0 for value in found.values())
    report = json.loads((tmp_path / "reports" / "rankers.json").read_text())
    assert report["requests"] == 20
    assert set(report["microseconds"]) == set(found)


def test_no_cases_are_refused(built_shop: Settings) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        measure(built_shop, 0)
