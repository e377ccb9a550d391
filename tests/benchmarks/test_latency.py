"""The latency benchmark measures, reports and stays on this machine. Its figures are nobody's test."""

from __future__ import annotations

import json

import pytest

from benchmarks.latency import measure, print_table
from configs import Settings
from configs.errors import ConfigError
from tests.support.live import Live


@pytest.mark.e2e
def test_every_kind_of_request_is_measured_and_reported(live_service: Live, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measure(live_service.settings, live_service.url, seconds=0.5, connections=2)
    print_table(figures)
    assert "p50 / floor" in capsys.readouterr().out
    assert len(figures) == 4
    for found in figures.values():
        assert 0 < found.p50 <= found.p95 <= found.p99
        assert found.failed == 0
    report = json.loads((live_service.settings.work.reports / "bench.json").read_text())
    assert set(report["latency_ms"]) == set(figures)


def test_another_machine_is_refused(built_shop: Settings) -> None:
    with pytest.raises(ConfigError, match="not on this machine"):
        measure(built_shop, "http://shop.example:3000", seconds=1, connections=1)
