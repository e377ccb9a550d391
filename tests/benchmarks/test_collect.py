"""The benchmark of the collector measures, reports and keeps to its own parts. Its figures are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.collect import BATCH, VISIBLE_RATE, measure, print_table
from configs import load_settings
from configs.errors import ConfigError


def test_everything_is_measured_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = {"redis": {"url": "redis://nowhere.invalid:1/0"}, "events": {"broker_url": "kafka://nowhere.invalid:1"}}
    found = measure(load_settings(home=tmp_path, **elsewhere), seconds=0.5, rate=400)
    print_table(found)
    shown = capsys.readouterr().out
    assert "until visible" in shown
    assert "waited to be applied" in shown
    for load in (found.visible, found.floor_offered, found.offered, found.floor_most, found.most):
        assert load.failed == 0
        assert 0 < load.p50 <= load.p99
    assert found.visible.calls <= 1.1 * VISIBLE_RATE
    assert found.offered.events == pytest.approx(found.offered.calls * BATCH)
    report = json.loads((tmp_path / "reports" / "collect.json").read_text())
    assert report["most"]["events"] == found.most.events
    assert report["rate"] == 400


@pytest.mark.parametrize(("seconds", "rate"), [(0.0, 400), (1e9, 400), (1.0, 1), (1.0, 10**9)])
def test_a_load_without_sensible_bounds_is_refused(seconds: float, rate: int) -> None:
    with pytest.raises(ConfigError, match="expected at most"):
        measure(load_settings(), seconds=seconds, rate=rate)
