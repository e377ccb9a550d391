"""The always-valid test against what it promises, on streams of people whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, norm

from configs import load_settings
from monitoring.experiments.effects import Ratio, ratio
from monitoring.sequential import always_valid, mixture_variance

WATCHED = load_settings().monitoring
LOOKS, PEOPLE = 30, 500
"""A look a day; people an arm in the end."""
TOO_FEW = Ratio(np.nan, np.nan, 0)


def looks_at_an_arm(generator: np.random.Generator, taste: float) -> list[Ratio]:
    """Return what is seen of an arm at each look.

    People arrive all the time, come back on later days, some of them often, and each has a taste of their own, so that
    their requests resemble each other.
    """
    arrival = generator.integers(0, LOOKS, PEOPLE)
    often = generator.gamma(0.5, 1.0, PEOPLE)
    liking = generator.beta(8 * taste, 8 * (1 - taste), PEOPLE)
    days = np.arange(LOOKS)
    requests = generator.poisson(np.where(days > arrival[:, None], often[:, None], 0.0)) + (days == arrival[:, None])
    added = generator.binomial(requests, liking[:, None])
    requests, added = requests.cumsum(axis=1), added.cumsum(axis=1)
    seen = [arrival <= day for day in days]
    return [
        ratio(added[who, day].astype(float), requests[who, day].astype(float))
        if who.sum() >= WATCHED.least_people
        else TOO_FEW
        for day, who in enumerate(seen)
    ]


def stream(seed: int, taste: float, other: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return difference, variance and people at each look of one experiment."""
    generator = np.random.default_rng(seed)
    arms = looks_at_an_arm(generator, taste), looks_at_an_arm(generator, other)
    pairs = [
        (theirs.value - ours.value, theirs.variance + ours.variance, theirs.people + ours.people)
        for ours, theirs in zip(*arms, strict=True)
    ]
    difference, variance, people = np.array(pairs).T
    return difference, variance, people


def most_likely(errors: int, tried: int) -> float:
    """Return the largest rate of errors that so few are not too rare for (Clopper and Pearson, 99 %)."""
    return float(beta.ppf(0.99, errors + 1, tried - errors))


def test_looking_every_day_at_equal_arms_cries_wolf_at_most_as_often_as_promised() -> None:
    streams = 500
    tightest = (WATCHED.tightest_at_people, PEOPLE)  # as set, and where most alarms are to be expected in these streams
    alarms = dict.fromkeys(tightest, 0)
    for seed in range(streams):
        seen = stream(seed, 0.12, 0.12)
        for at in tightest:
            found = always_valid(*seen, alpha=WATCHED.alpha, tightest_at=at)
            alarms[at] += found.first_below(WATCHED.alpha) is not None
    assert most_likely(alarms[WATCHED.tightest_at_people], streams) <= WATCHED.alpha
    assert most_likely(alarms[PEOPLE], streams) <= WATCHED.alpha


def test_a_test_for_one_look_cries_wolf_on_the_same_streams() -> None:
    """The check above could fail: the streams are such that looking often does mislead."""
    alarms, streams = 0, 200
    for seed in range(streams):
        difference, variance, _ = stream(seed, 0.12, 0.12)
        alarms += bool((np.abs(difference) > norm.ppf(0.975) * np.sqrt(variance)).any())
    assert alarms / streams > 2 * WATCHED.alpha


def test_a_real_difference_is_found_nearly_always_and_in_the_right_direction() -> None:
    found = []
    for seed in range(100):
        difference, variance, people = stream(seed, 0.10, 0.25)
        seen = always_valid(difference, variance, people, alpha=0.05, tightest_at=WATCHED.tightest_at_people)
        first = seen.first_below(0.05)
        found.append(first is not None and seen.low[first] > 0)
    assert np.mean(found) >= 0.9


def test_the_interval_holds_the_truth_at_all_looks_at_once() -> None:
    streams, missed = 300, 0
    for seed in range(streams):
        seen = always_valid(*stream(seed, 0.10, 0.16), alpha=0.05, tightest_at=500)
        missed += bool(((seen.low > 0.06) | (seen.high < 0.06)).any())
    assert most_likely(missed, streams) <= 0.05


@given(
    st.floats(-2, 2),
    st.floats(1e-4, 4),
    st.integers(2, 10_000),
    st.sampled_from([0.001, 0.01, 0.05, 0.2]),
)
def test_p_is_at_most_alpha_exactly_where_the_interval_leaves_out_none(
    difference: float, variance: float, people: int, alpha: float
) -> None:
    found = always_valid(difference, variance, people, alpha=alpha, tightest_at=1_000)
    if abs(float(found.p) - alpha) > 1e-9:
        assert (found.p < alpha) == (found.low > 0 or found.high < 0)
    assert 0 <= found.p <= 1
    assert found.low <= difference <= found.high


def test_p_is_the_likelihood_ratio_mixed_over_differences() -> None:
    difference, variance, people, tightest = 0.3, 0.02, 400, 900
    drawn = np.linspace(-8, 8, 400_001)  # brute force over differences, in steps
    spread = np.sqrt(variance * people * mixture_variance(0.05, tightest))
    prior = norm.pdf(drawn, scale=spread)
    likelihood = norm.pdf(difference, drawn, np.sqrt(variance)) / norm.pdf(difference, 0, np.sqrt(variance))
    evidence = (prior * likelihood).sum() * (drawn[1] - drawn[0])
    found = always_valid(difference, variance, people, alpha=0.05, tightest_at=tightest)
    assert found.p == pytest.approx(1 / evidence, rel=1e-6)


def test_the_interval_is_tightest_where_it_is_asked_to_be() -> None:
    settings = np.linspace(100, 4_000, 391)
    widths = [float(always_valid(0, 1.0, 1_000, alpha=0.05, tightest_at=at).high) for at in settings]
    assert settings[int(np.argmin(widths))] == pytest.approx(1_000, rel=0.02)
    fixed = norm.ppf(0.975)
    assert fixed < min(widths) < 2 * fixed


def test_every_look_is_judged_by_itself() -> None:
    difference, variance, people = stream(1, 0.1, 0.2)
    together = always_valid(difference, variance, people, alpha=0.05, tightest_at=500)
    for look in range(LOOKS):
        one = always_valid(difference[look], variance[look], people[look], alpha=0.05, tightest_at=500)
        assert (one.p, one.low, one.high) == (together.p[look], together.low[look], together.high[look])


@pytest.mark.parametrize(("variance", "people"), [(np.nan, 10), (0.0, 10), (1.0, 0)])
def test_where_nothing_is_known_nothing_is_said(variance: float, people: int) -> None:
    found = always_valid(5.0, variance, people, alpha=0.05, tightest_at=100)
    assert (found.low, found.high, found.p) == (-np.inf, np.inf, 1.0)
    assert found.first_below(0.05) is None
