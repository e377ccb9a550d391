"""The gate's checks of what was found out before."""

from __future__ import annotations

from typing import Any

import pytest

from configs import load_settings
from tests.support.gate import good_trial
from training.gate.told import audit, beats_arms, stepped_back, trial

GATE = load_settings().registry.gate


def evaluation(model: tuple[float, float], **arms: tuple[float, float]) -> dict[str, Any]:
    found = {name: {"hit_rate": {"ci95": list(bounds)}} for name, bounds in ({"model": model} | arms).items()}
    return {"variants": {"loo": {"arms": found}}}


def test_a_model_whose_interval_lies_above_the_arms_beats_them() -> None:
    check = beats_arms(evaluation((0.20, 0.24), popularity=(0.03, 0.05)), ["popularity"])
    assert check.passed
    assert check.figures["hit_rate_ci95"]["popularity"] == [0.03, 0.05]


@pytest.mark.parametrize("end", [0.20, 0.21])
def test_an_arm_whose_interval_reaches_the_models_is_named_with_both_ends(end: float) -> None:
    check = beats_arms(evaluation((0.20, 0.24), popularity=(0.1, end)), ["popularity", "als"])
    assert not check.passed
    assert f"starts at 0.2000, not above popularity's end at {end:.4f}" in check.says
    assert "not compared with als" in check.says


def test_without_an_audit_or_with_findings_it_does_not_pass() -> None:
    assert "no bias audit" in audit({}).says
    failed = audit({"audit": {"passed": False, "findings": ["New products are shown half as often."], "groups": {}}})
    assert not failed.passed
    assert "New products are shown half as often." in failed.says
    assert audit({"audit": {"passed": True, "findings": [], "groups": {}}}).passed


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"errors": 1}, "1 of 60 calls failed"),
        ({"fallback_share": GATE.trial_fallback_share + 0.001}, "of the answers were fallbacks"),
        ({"latency_ms": {"p99": GATE.trial_p99_ms + 1}}, "its p99 was"),
        ({"latency_ms": {"p99": None}}, "its p99 was None"),
        ({"answered_by": ["abc", "other"]}, "answers came from abc and other"),
        ({"trouble": "it ended"}, "did not come up with its package: it ended"),
        ({"package": "other"}, "no trial of its package abc"),
    ],
)
def test_a_trial_that_went_wrong_is_told(changed: dict[str, Any], says: str) -> None:
    check = trial(good_trial("abc", **changed), "abc", GATE)
    assert not check.passed
    assert says in check.says


def test_a_trial_at_the_bounds_passes_and_none_at_all_does_not() -> None:
    at_bounds = {"fallback_share": GATE.trial_fallback_share, "latency_ms": {"p99": GATE.trial_p99_ms}}
    assert trial(good_trial("abc", **at_bounds), "abc", GATE).passed
    assert not trial(None, "abc", GATE).passed


def test_what_was_stepped_back_from_stays_so_with_the_decision_told() -> None:
    assert stepped_back(None).passed
    assert "it was slow" in stepped_back("rollback of champion: it was slow").says
