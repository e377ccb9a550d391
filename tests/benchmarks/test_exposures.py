"""The benchmark of exposures measures every step and leaves its report. Its times are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.exposures import BACKGROUND, RANKING, SIZES, STEPS, measure, print_table
from configs import Settings


def test_every_step_is_timed_and_reported(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("data", "features", "model"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    settings = Settings(
        **(built_shop.model_dump() | {"home": tmp_path, "redis": {"url": "redis://nowhere.invalid:1", "port": 1}})
    )
    found = measure(settings, 20)
    print_table(found)
    assert "added in all" in capsys.readouterr().out
    assert set(found) == {RANKING, *STEPS, BACKGROUND, *SIZES}
    assert 0 < found[SIZES[1]] < found[SIZES[0]]
    report = json.loads((tmp_path / "reports" / "exposures.json").read_text())
    assert report["requests"] == 20
    assert set(report["found"]) == set(found)
