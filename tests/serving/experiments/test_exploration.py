"""Chance in an answer: what it may touch, how often, and that the probabilities told are those that happen."""

from __future__ import annotations

import uuid
from collections import Counter
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from serving.experiments import Exploration, depth, explore

plans = st.builds(
    lambda epsilon, slots, more: Exploration(epsilon=epsilon, slots=slots, pool=slots + more, max_share_of_requests=1),
    st.floats(0.01, 1),
    st.integers(1, 4),
    st.integers(1, 12),
)


def plan(epsilon: float = 1.0, slots: int = 2, pool: int = 5) -> Exploration:
    return Exploration(epsilon=epsilon, slots=slots, pool=pool, max_share_of_requests=1.0)


@given(plans, st.integers(1, 8), st.integers(0, 25), st.uuids())
def test_chance_stays_in_its_places_and_its_pool(plan: Exploration, k: int, known: int, seed: uuid.UUID) -> None:
    ranked = list(range(min(known, depth(k, plan))))
    found = explore(ranked, k, plan, seed.hex)
    first = max(0, k - plan.slots)
    assert len(found.shown) == len(found.propensities) == min(k, len(ranked))
    assert len(set(found.shown)) == len(found.shown)
    assert list(found.shown[:first]) == ranked[:first]
    assert set(found.shown) <= set(ranked[: first + plan.pool])
    assert all(0 < propensity <= 1 + 1e-12 for propensity in found.propensities)
    assert list(found.propensities[:first]) == [1.0] * min(first, len(ranked))
    if found.changed:
        assert sorted([*found.shown[first:], *found.pool]) == ranked[first : first + plan.pool]
    else:
        assert list(found.shown) == ranked[:k]
        assert list(found.pool) == []


@pytest.mark.parametrize("known", [12, 6, 5, 4])
def test_the_probability_told_is_the_share_of_all_that_can_happen(known: int) -> None:
    """The oracle counts every ordered draw of the pool; the answer is only asked what it says of what it shows."""
    k, mix = 4, plan(epsilon=0.25, slots=2, pool=5)
    ranked = list(range(min(known, depth(k, mix))))
    pool, places = ranked[2:7], len(ranked[:k]) - 2
    draws = list(permutations(pool, places))
    seen = set()
    for number in range(4_000):
        found = explore(ranked, k, mix, f"request {number}")
        for place in range(places):
            product = found.shown[2 + place]
            by_chance = Fraction(sum(draw[place] == product for draw in draws), len(draws))
            exact = Fraction(1, 4) * by_chance + Fraction(3, 4) * (product == ranked[2 + place])
            assert found.propensities[2 + place] == pytest.approx(float(exact), rel=1e-12)
            seen.add((place, product))
    assert seen == {(place, product) for place in range(places) for product in pool}


def test_what_happens_is_as_probable_as_was_told() -> None:
    k, mix, ranked, times = 3, plan(epsilon=0.4, slots=2, pool=6), list(range(8)), 20_000
    found = [explore(ranked, k, mix, uuid.UUID(int=number).hex) for number in range(times)]
    assert binomtest(sum(one.changed for one in found), times, 0.4).pvalue > 0.001
    for place in (1, 2):
        told = {one.shown[place]: one.propensities[place] for one in found}
        happened = Counter(one.shown[place] for one in found)
        assert sum(told.values()) == pytest.approx(1)
        for product, propensity in told.items():
            assert binomtest(happened[product], times, propensity).pvalue > 0.0005


def test_without_a_plan_nothing_changes_and_no_more_is_ranked() -> None:
    found = explore(range(9), 3, None, "request")
    assert (list(found.shown), list(found.propensities), list(found.pool), found.changed) == (
        [0, 1, 2],
        [1.0] * 3,
        [],
        False,
    )
    assert depth(3, None) == 3


def test_the_same_request_is_drawn_the_same() -> None:
    once, again = (explore(range(30), 10, plan(slots=3, pool=9), "request") for _ in range(2))
    assert once == again
