"""Intervals and tests against what they promise, on data whose truth is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.evaluation.significance import ShopperBootstrap, holm, mean_with_interval, sign_flip_p


def column(values: list[float] | np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)[:, None]


def test_the_interval_holds_the_mean_and_is_wider_for_shoppers_who_are_alike_within() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0], 25)
    alike = np.repeat(np.arange(8), 25).astype(np.int32)
    apart = np.arange(200).astype(np.int32)
    clustered = mean_with_interval(values, alike, 500, 1)
    independent = mean_with_interval(values, apart, 500, 1)
    assert clustered.low < clustered.value == 0.5 < clustered.high
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        values = (generator.random(150) < 0.3).astype(float)
        mean = mean_with_interval(values, np.arange(150, dtype=np.int32), 200, 3)
        covered += mean.low <= 0.3 <= mean.high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_interval_of_a_ratio_covers_the_truth_when_shoppers_differ() -> None:
    generator = np.random.default_rng(8)
    covered = 0
    for round_ in range(200):
        shopper = np.repeat(np.arange(120), generator.integers(1, 6, 120)).astype(np.int32)
        taste = generator.beta(2, 6, 120)[shopper]  # 0.25 on average
        price = generator.uniform(1, 9, shopper.size)
        won = price * (generator.random(shopper.size) < taste)
        found = ShopperBootstrap(shopper, 200, round_).ratios(column(won), column(price))[0]
        covered += found.low <= 0.25 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_resample_draws_whole_shoppers() -> None:
    # Two shoppers, one who always buys and one who never does: a resampled mean can only be 0, 1/2 or 1.
    bootstrap = ShopperBootstrap(np.array([0, 0, 1, 1], dtype=np.int32), 400, 2)
    found = bootstrap.ratios(column([1, 1, 0, 0]), column([1, 1, 1, 1]))[0]
    assert (found.low, found.value, found.high) == (0.0, 0.5, 1.0)


def test_a_slice_that_resamples_may_miss_has_an_interval_and_an_empty_one_has_none() -> None:
    shoppers = np.arange(4, dtype=np.int32)
    members = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    found = ShopperBootstrap(shoppers, 200, 1).ratios(members * 0.5, members)
    assert (found[0].low, found[0].value, found[0].high) == (0.5, 0.5, 0.5)
    assert np.isnan([found[1].value, found[1].low, found[1].high]).all()


def test_the_lift_is_relative() -> None:
    found = ShopperBootstrap(np.arange(3, dtype=np.int32), 100, 1).lifts(column([3, 6, 9]), column([2, 4, 6]))[0]
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


@given(hnp.arrays(np.float64, 9, elements=st.floats(0, 1)), st.integers(0, 99))
def test_an_arm_against_itself_differs_by_nothing_with_p_one(values: np.ndarray, seed: int) -> None:
    shoppers = np.arange(9, dtype=np.int32) // 2
    difference = column(values - values)
    found = ShopperBootstrap(shoppers, 100, seed).ratios(difference, np.ones_like(difference))[0]
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    assert sign_flip_p(difference, shoppers, seed, 200)[0] == 1.0


def test_the_p_value_is_that_of_all_sign_patterns() -> None:
    totals = np.array([0.5, 1.0, -0.25, 2.0, 0.75, 0.1, -0.3, 1.5])
    sums = [abs(np.dot(signs, totals)) for signs in itertools.product([-1, 1], repeat=totals.size)]
    exact = np.mean(np.array(sums) >= abs(totals.sum()) - 1e-12)
    halves = np.repeat(totals / 2, 2)  # two cases a shopper, which must flip together
    p = sign_flip_p(column(halves), np.repeat(np.arange(8), 2).astype(np.int32), 3, 20_000)[0]
    assert p == pytest.approx(exact, abs=0.01)


def test_without_a_difference_few_tests_reject() -> None:
    generator = np.random.default_rng(4)
    shoppers = np.repeat(np.arange(60), 3).astype(np.int32)
    common = generator.normal(size=(60, 300))[shoppers]  # what a shopper's cases share
    p = sign_flip_p(common + generator.normal(size=(180, 300)), shoppers, 1, 999)
    assert 0.02 <= (p <= 0.05).mean() <= 0.09


def test_a_clear_difference_has_the_least_p() -> None:
    assert sign_flip_p(column(np.ones(40)), np.arange(40, dtype=np.int32), 1, 999)[0] == 1 / 1000


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(values: list[float]) -> None:
    p = np.array(values)
    adjusted = holm(p)
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(p * p.size, 1.0) + 1e-12).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_step_by_step_until_one_holds(values: list[float]) -> None:
    rejected = set()
    for step, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[place] * (len(values) - step) > 0.05:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(holm(np.array(values))) if p <= 0.05} == rejected
