"""The benchmark of incremental counts checks its counts and leaves its report. Its times are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.incremental import AFRESH, CHAINED, DAYS, EACH, FLOOR, WEIGH, measure, name_of, print_table
from configs import Settings
from configs.errors import ConfigError
from features.history import ingest_record, load_history
from features.windows import cut_windows


def test_every_way_is_measured_and_gives_the_same_counts(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").symlink_to(built_shop.work.data)
    settings = Settings(**(built_shop.model_dump() | {"home": tmp_path}))
    found = measure(settings, 1)
    print_table(found)
    assert "cost / floor" in capsys.readouterr().out
    assert list(found.ways) == [FLOOR, AFRESH, *map(name_of, DAYS), EACH, CHAINED, WEIGH]
    assert all(way.equal for way in found.ways.values())
    history = load_history(settings.work.data)
    windows = cut_windows(history, ingest_record(settings.work.data)["timezone"], settings.windows)
    assert found.ways[AFRESH].orders == found.ways[CHAINED].orders == int((history.at < windows.as_of).sum())
    for days in DAYS:
        recent = (history.at < windows.as_of) & (history.at >= windows.as_of - days * 86_400)
        assert found.ways[name_of(days)].orders == int(recent.sum())
    report = json.loads((tmp_path / "reports" / "incremental.json").read_text())
    assert set(report["ways"]) == set(found.ways)
    assert report["megabytes"] > 0


def test_no_repeats_are_refused(built_shop: Settings) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        measure(built_shop, 0)
