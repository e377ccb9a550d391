"""The candidate benchmark measures every generator and leaves its report. Its times are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.candidates import FLOOR, TOGETHER, measure, print_table
from configs import Settings
from configs.errors import ConfigError
from training.candidates import GENERATORS


def test_every_generator_is_measured_and_reported(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("data", "features", "model"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    settings = Settings(**(built_shop.model_dump() | {"home": tmp_path}))
    figures = measure(settings, 40)
    print_table(figures)
    assert "cost / floor" in capsys.readouterr().out
    assert list(figures) == [FLOOR, TOGETHER, *GENERATORS]
    for name in GENERATORS:
        assert figures[name].mean <= figures[TOGETHER].mean
        assert figures[name].only is not None
        assert figures[name].only <= figures[name].recall <= figures[TOGETHER].recall
    report = json.loads((tmp_path / "reports" / "candidates.json").read_text())
    assert set(report["generators"]) == set(figures)


def test_no_cases_are_refused(built_shop: Settings) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        measure(built_shop, 0)
