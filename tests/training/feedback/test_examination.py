"""How likely places are looked at, told from simulated shoppers whose chances to look are known."""

from __future__ import annotations

import numpy as np
import pytest

from configs import load_settings
from tests.training.feedback.support import Simulated, simulated
from training.feedback.examination import (
    CHANCE,
    CONFIGURED,
    REGRESSION,
    Looks,
    by_chance,
    by_regression,
    configured,
    examine,
)
from training.feedback.gather import looks_of

SETTINGS = load_settings().feedback.examination
STEEP = 1 / np.arange(1, 9)
EVEN = np.ones(8)


def looks(told: Simulated) -> Looks:
    return looks_of(told.shown, told.came)


@pytest.mark.parametrize("truth", [STEEP, EVEN, np.array([1, 0.8, 0.7, 0.6, 0.3, 0.25, 0.25, 0.4])])
def test_places_left_to_chance_tell_their_ratios_without_any_model_of_what_is_wanted(truth: np.ndarray) -> None:
    told = looks(simulated(3, 30_000, truth, epsilon=0.5, slots=4, pool=12))
    logs = by_chance(told)
    assert np.isnan(logs[:4]).all()
    counts = np.bincount(told.place[told.by_chance], told.taken[told.by_chance])[4:]
    error = np.sqrt(1 / counts + 1 / counts[0])  # of the logarithm of a ratio of two counts
    assert (np.abs(logs[4:] - logs[4] - np.log(truth[4:] / truth[4])) < 3.5 * error).all()


@pytest.mark.parametrize("truth", [STEEP, EVEN])
def test_the_regression_tells_a_curve_that_lies_far_from_the_configured_one(truth: np.ndarray) -> None:
    found = [
        np.exp(by_regression(looks(simulated(seed, 8_000, truth)), np.log(configured(8, SETTINGS).curve), 0.7))
        for seed in range(2)
    ]
    far = np.abs(np.log(configured(8, SETTINGS).curve / truth)).mean()
    for curve in found:
        assert np.abs(np.log(curve / truth)).mean() < far / 3
    assert np.mean(found, axis=0) == pytest.approx(truth, abs=0.1)


def test_with_little_evidence_the_configured_curve_is_used_and_said_to_be() -> None:
    told = looks(simulated(1, 100, STEEP))
    assert told.taken.sum() < SETTINGS.least_outcomes
    found = examine(told, SETTINGS)
    assert (found.source, found.curve.tolist()) == (CONFIGURED, (np.arange(1, 9) ** -0.5).tolist())


def test_the_more_evidence_the_farther_an_estimate_leaves_the_configured_curve() -> None:
    base = np.log(configured(8, SETTINGS).curve)
    gaps = [
        np.mean([np.abs(by_regression(looks(simulated(s, size, STEEP)), base, 0.7) - base).mean() for s in range(2)])
        for size in (40, 2_000)
    ]
    assert gaps[0] < 0.6 * gaps[1]


def test_what_chance_tells_goes_before_what_the_regression_does_and_the_source_is_told() -> None:
    plan = {"epsilon": 0.5, "slots": 8, "pool": 12}
    everywhere = examine(looks(simulated(5, 8_000, STEEP, **plan)), SETTINGS)
    assert everywhere.source == CHANCE
    assert everywhere.curve == pytest.approx(STEEP, rel=0.25)
    some = looks(simulated(6, 12_000, STEEP, **(plan | {"slots": 3})))
    found, alone = examine(some, SETTINGS), by_chance(some)
    assert found.source == f"{REGRESSION}, with {CHANCE}"
    assert np.log(found.curve[5:] / found.curve[5]) == pytest.approx(alone[5:] - alone[5])
    assert found.curve == pytest.approx(STEEP, abs=0.1)
    assert examine(looks(simulated(7, 1_500, STEEP)), SETTINGS).source == REGRESSION


def test_places_that_chance_never_compared_are_told_apart_by_the_regression_only() -> None:
    told = looks(simulated(2, 3_000, STEEP, epsilon=0.5, slots=1, pool=12))
    assert np.isnan(by_chance(told)).all()
    assert examine(told, SETTINGS).source == REGRESSION
