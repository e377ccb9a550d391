"""The benchmark of swapping, and so a real service that swaps, refuses and goes back. Its times are nobody's test."""

from __future__ import annotations

import json

import pytest

from benchmarks import swap
from benchmarks.swap import PHASES, measure, print_table
from configs import Settings, load_settings
from configs.errors import ConfigError


@pytest.mark.e2e
def test_a_real_service_swaps_refuses_and_goes_back_without_a_failed_request(
    built_shop: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in {"WARM_SECONDS": 0.1, "STEADY_SECONDS": 0.5, "SETTLE_SECONDS": 0.2}.items():
        monkeypatch.setattr(swap, name, seconds)
    patient = {"follow_seconds": 0.1, "redis_timeout_ms": 2_000.0}
    settings = built_shop.model_copy(update={"serving": built_shop.serving.model_copy(update=patient)})
    found = measure(settings, swaps=1, rate=40, workers=1)
    print_table(found)
    shown = capsys.readouterr().out
    assert "seconds until followed" in shown
    assert "ranker.txt is missing or changed" in shown
    assert tuple(found.phases) == PHASES
    for phase in found.phases.values():
        assert phase.failed == 0
        assert phase.requests > 5
        assert 0 < phase.p50 <= phase.p99 <= phase.slowest
    assert [len(phase.followed) for phase in found.phases.values()] == [0, 1, 1, 0]
    assert len(found.load_seconds) == 1
    assert min(found.load_seconds) > 0
    report = json.loads((settings.work.reports / "swap.json").read_text())
    assert report["phases"]["swapping"]["failed"] == 0
    assert report["swaps"] == 1


@pytest.mark.parametrize(("swaps", "rate", "workers"), [(0, 10.0, 1), (1, 1e9, 1), (1, 10.0, 1_000)])
def test_a_load_without_sensible_bounds_is_refused(swaps: int, rate: float, workers: int) -> None:
    with pytest.raises(ConfigError, match="expected at least one and at most"):
        measure(load_settings(), swaps, rate, workers)
