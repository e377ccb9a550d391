"""The benchmark of detection in small: simulated people, and the monitor's own limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import detection
from benchmarks.detection import GOOD, measure, print_tables
from configs import load_settings
from configs.errors import ConfigError


def test_worse_models_are_found_and_good_ones_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = {
        "attach_rate": (("-100%", replace(GOOD, adds=0.0)),),
        "latency": (("× 10", replace(GOOD, latency_ms=40)),),
    }
    monkeypatch.setattr(detection, "EFFECTS", effects)
    found = measure(load_settings(home=tmp_path), streams=2, windows=10, service=False)
    print_tables(found)
    shown = capsys.readouterr().out
    assert "Simulated: answers until a worse model is found" in shown
    assert "0 false alarms in 2 streams of 10 windows" in shown
    for one in found.delays:
        assert one.missed == 0
        assert 0 < one.median <= one.p90 < 2_000
    report = json.loads((tmp_path / "reports" / "detection.json").read_text())
    assert report["simulated"] is True
    assert report["peace"]["alarms"] == 0


def test_too_few_streams_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected at least 2"):
        measure(load_settings(), streams=1, windows=10, service=False)
