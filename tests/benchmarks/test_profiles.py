"""The benchmark of live profiles measures, reports and keeps to its own Redis. Its figures are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.profiles import EVENTS_PER_SESSION, RATE, measure, print_table
from configs import load_settings
from configs.errors import ConfigError


def test_everything_is_measured_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(home=tmp_path, redis={"url": "redis://nowhere.invalid:1/0"})
    found = measure(settings, events=2_000, seconds=0.5, seeded=(10, 200))
    print_table(found)
    shown = capsys.readouterr().out
    assert "CPU / floor" in shown
    assert f"{EVENTS_PER_SESSION} events" in shown
    assert [rate.sessions for rate in found.consumer] == [10, 200]
    assert 0 < found.p50 <= found.p99
    assert 0 < found.offered <= 1.1 * RATE
    assert 0 < found.record_bytes < found.redis_bytes
    report = json.loads((tmp_path / "reports" / "profiles.json").read_text())
    assert report["consumer"][1]["sessions"] == 200


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        measure(load_settings(), events=0, seconds=1.0)
