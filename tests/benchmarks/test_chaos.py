"""The chaos run in a short form, on the corner shop; `make drills` runs the full one. Its speed is nobody's test."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from benchmarks.chaos import measure, print_table
from benchmarks.chaos_scene import DISTURBANCES, nothing
from configs import Settings
from configs.errors import ConfigError

FULL = os.environ.get("DRILLS") == "full"
SECONDS = 120.0 if FULL else 5.0
DEADLINE_MS = 5_000.0
"""So long that a crowded machine keeps it; the command judges by the real one."""


@pytest.mark.e2e
def test_every_request_is_answered_whatever_breaks_and_all_recovers(
    built_shop: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = built_shop.serving.breaker.model_copy(update={"open_seconds": 0.1})
    serving = {"workers": 2, "deadline_ms": DEADLINE_MS, "breaker": quick}
    settings = built_shop.model_copy(update={"serving": built_shop.serving.model_copy(update=serving)})
    # BentoML may take 10 s to notice that a worker is gone: the short form does not wait for the next one. Nor does it
    # swap models 20 times; the test of `benchmarks.swap` does so a few times.
    brief = [one for one in DISTURBANCES if one.name not in ("model swapped", "worker killed")]
    disturbances = DISTURBANCES if FULL else [*brief, replace(DISTURBANCES[-1], end=nothing)]
    found = measure(settings, SECONDS, 50, disturbances)
    print_table(found)
    print(capsys.readouterr().out)
    assert (found.whole.errors, found.whole.late, found.whole.lost, found.unrecovered) == (0, 0, 0, [])
    served = {phase.name: set(phase.served) for phase in found.phases}
    for disturbance in DISTURBANCES[:5]:
        assert "model (request_only)" in served[disturbance.name], disturbance.name
    assert sum(phase.requests for phase in found.phases) == found.whole.requests >= 0.9 * SECONDS * 50
    report = json.loads((settings.work.reports / "chaos.json").read_text())
    assert report["passed"] is True
    assert report["whole"]["served"] == found.whole.served


@pytest.mark.parametrize(("seconds", "rate"), [(0.0, 50), (1e9, 50), (1.0, 0), (1.0, 10**6)])
def test_a_load_without_sensible_bounds_is_refused(built_shop: Settings, seconds: float, rate: float) -> None:
    with pytest.raises(ConfigError, match="expected at most"):
        measure(built_shop, seconds, rate)
