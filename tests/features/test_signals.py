"""Weighted signals: equal to a plain computation, exact in time, indifferent to order, always finite and bounded."""

from __future__ import annotations

import math
from random import Random
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import load_settings
from configs.errors import ConfigError
from configs.settings import SignalSettings
from features.activity import KINDS, NOTHING, Action, Kind, RecentActivity
from features.context import Context, ProductMatrix
from features.shopper import ShopperState
from features.signals import pull, signals
from tests.features.histories import DAY, START, Bought, history, orders
from tests.features.test_no_leakage import matrix_at, state_before

WEIGHTS = load_settings().ranking.weights
HALF_LIFE = WEIGHTS.half_life_minutes * 60
LATE = START + 101 * DAY
ALL = np.arange(12, dtype=np.int32)

actions = st.lists(
    st.tuples(
        st.sampled_from([f"p{number:03d}" for number in range(12)]),
        st.floats(LATE - 3_600, LATE + 60).map(lambda at: round(at, 1)),
        st.sampled_from(KINDS),
    ),
    max_size=30,
)
carts = st.lists(st.integers(0, 11), max_size=5, unique=True)
weights = st.fixed_dictionaries(
    {
        name: st.floats(0, 1000)
        for name in (*("activity", "history", "context", "view", "add", "remove"), *("product", "partner", "brand"))
    }
    | {"price": st.floats(0.001, 1000), "half_life_minutes": st.floats(1e-3, 1e6)}
).map(lambda told: WEIGHTS.model_copy(update=told))


def request(past: list[Bought], cart: list[int], done: list[Action], most: int = 50, now: float = LATE) -> Context:
    """Return shopper 0's request, after orders and actions."""
    known = history(past)
    matrix = matrix_at(known, LATE)
    recent = RecentActivity.of(done, matrix.row_of, most)
    return Context(matrix, state_before(known, 0, LATE), np.array(sorted(cart), dtype=np.int32), now, recent)


def plain_pull(matrix: ProductMatrix, done: list[Action], candidate: int, now: float) -> float:
    """Return the pull towards a candidate, action by action."""
    products, total = matrix.catalogue, 0.0
    for product, at, kind in done:
        row = products.ids.index(product)
        start, end = matrix.together.cosine.start[row : row + 2]
        partners = dict(
            zip(matrix.together.cosine.partner[start:end], matrix.together.cosine.weight[start:end], strict=True)
        )
        share = WEIGHTS.partner * float(partners.get(candidate, 0.0))
        share += WEIGHTS.product if row == candidate else 0.0
        share += WEIGHTS.category if products.categories[row] == products.categories[candidate] else 0.0
        share += WEIGHTS.brand if products.brands[row] == products.brands[candidate] != "" else 0.0
        total += share * getattr(WEIGHTS, kind) * 0.5 ** (max(0.0, now - at) / HALF_LIFE)
    return total


def plain_history(shopper: ShopperState, key: int, half_life_days: float) -> float:
    """Return the history term of a product, from its row of the shopper's record."""
    table = shopper.products
    if key not in table.keys:
        return 0.0
    (row,) = np.flatnonzero(table.keys == key)
    days, count = (LATE - table.last_at[row]) / DAY, table.count[row]
    rate = table.rate[row] * 0.5 ** (days / half_life_days)
    gap = (table.last_at[row] - table.first_at[row]) / DAY / max(1, count - 1)
    due = 0.5 if count < 2 else min(1.0, days / max(gap, 0.5))
    return float(rate / (1 + rate) * (1 + due) / 2)


def plain_context(request: Context, candidate: int) -> float:
    """Return the context term of a candidate, from single numbers."""
    matrix, together = request.products, 0.0
    for neighbours in (matrix.together.cosine, matrix.together.confidence):
        for row in request.cart:
            places = range(neighbours.start[row], neighbours.start[row + 1])
            together += sum(neighbours.weight[i] for i in places if neighbours.partner[i] == candidate)
    lately = [
        0.0 if np.isnan(trend) else math.log1p(float(popularity) * float(trend) / 4)
        for popularity, trend in zip(matrix.stats.popularity, matrix.stats.trend, strict=True)
    ]
    usual = request.shopper.mean_unit_price
    if np.isnan(usual):
        usual = np.mean([matrix.price[row] for row in request.cart]) if request.cart.size else np.nan
    fit = 0.5 if np.isnan(usual) else min(matrix.price[candidate] / usual, usual / matrix.price[candidate])
    popular = lately[candidate] / max(lately) if max(lately) else 0.0
    of_parts = WEIGHTS.cart * together / (1 + together) + WEIGHTS.popularity * popular + WEIGHTS.price * fit
    return float(of_parts / (WEIGHTS.cart + WEIGHTS.popularity + WEIGHTS.price))


@given(orders(), carts, actions, st.permutations(ALL.tolist()))
@settings(max_examples=60, deadline=None)
def test_every_term_is_what_a_plain_computation_gives(
    past: list[Bought], cart: list[int], done: list[Action], candidates: list[int]
) -> None:
    asked = request(past, cart, done)
    found = signals(asked, np.array(candidates, dtype=np.int32), WEIGHTS)
    half_life, keys = asked.products.features.repeat_half_life_days, asked.products.catalogue.keys
    pulls = np.array([plain_pull(asked.products, done, row, LATE) for row in candidates])
    np.testing.assert_allclose(found.activity, pulls / (1 + pulls), rtol=1e-5)
    np.testing.assert_allclose(
        found.history, [plain_history(asked.shopper, int(keys[row]), half_life) for row in candidates], rtol=1e-6
    )
    np.testing.assert_allclose(found.context, [plain_context(asked, row) for row in candidates], rtol=1e-4)


@given(orders(), actions, st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_actions_are_told_does_not_matter(
    past: list[Bought], done: list[Action], random: Random
) -> None:
    shuffled = list(done)
    random.shuffle(shuffled)
    found = [signals(request(past, [1], told, most=9), ALL, WEIGHTS) for told in (done, shuffled)]
    assert found[0].activity.tobytes() == found[1].activity.tobytes()


@given(orders(), actions, st.floats(0, 48))
@settings(max_examples=40, deadline=None)
def test_the_pull_halves_with_every_half_life(past: list[Bought], done: list[Action], later: float) -> None:
    asked, now = request(past, [], done), LATE + 60.0
    given_then = [
        pull(asked.activity, now + seconds, ALL, asked.products, WEIGHTS) for seconds in (later, later + HALF_LIFE)
    ]
    np.testing.assert_allclose(given_then[1], given_then[0] / 2, rtol=1e-6)


@given(
    st.builds(request, orders(), carts, actions),
    weights,
    st.sampled_from(["activity", "history", "context"]),
    st.floats(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_a_greater_weight_never_makes_a_score_lower(
    asked: Context, told: SignalSettings, name: str, more: float
) -> None:
    greater = told.model_copy(update={name: min(1000.0, getattr(told, name) + more)})
    before, after = (signals(asked, ALL, given).score(given) for given in (told, greater))
    assert (after >= before).all()


@given(orders(), carts, actions, weights, st.floats(-1e12, 1e12))
@settings(max_examples=80, deadline=None)
def test_terms_are_finite_and_between_0_and_1_at_any_moment_and_with_any_weights(
    past: list[Bought], cart: list[int], done: list[Action], told: SignalSettings, now: float
) -> None:
    asked = request(past, cart, done, now=now)
    found = signals(asked, ALL, told)
    for term in (found.activity, found.history, found.context):
        assert ((term >= 0) & (term <= 1 + 1e-9)).all()
    assert np.isfinite(found.score(told)).all()


def test_products_that_the_catalogue_does_not_know_are_left_out() -> None:
    done: list[Action] = [("p001", LATE - 5.0, "view"), ("gone", LATE - 1.0, "view"), ("", LATE - 1.0, "remove")]
    past = [Bought(START, 0, (1, 2))]
    known = request(past, [], done).activity
    assert (known.rows.tolist(), known.at.tolist()) == ([1], [LATE - 5.0])
    assert request(past, [], done[1:]).activity is NOTHING


def test_only_the_newest_actions_count() -> None:
    done: list[Action] = [(f"p{number:03d}", LATE - number, "view") for number in range(12)]
    assert request([], [], done, most=3).activity.newest_first.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("candidate", "half_lives", "expected"),
    [(1, 0, 0.535), (1, 1, 0.365), (1, 2, 0.223), (4, 0, 0.130), (4, 1, 0.070), (2, 0, 0.0)],
)
def test_the_table_of_the_docstring_holds(candidate: int, half_lives: int, expected: float) -> None:
    # p001 and p004 share category and brand, p002 neither; nothing was bought together.
    done: list[Action] = [("p001", LATE - half_lives * HALF_LIFE, "view")]
    found = signals(request([Bought(START, 0, (1,))], [], done), ALL, WEIGHTS)
    assert found.activity[candidate] == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("days_ago", "expected"), [(0, 1 / 3), (3.5, 1 / 2), (7, 2 / 3), (70, 2 / 3)])
def test_what_is_due_counts_more(days_ago: float, expected: float) -> None:
    now = LATE + days_ago * DAY
    asked = request([Bought(LATE - (1 + 7 * n) * DAY, 0, (3,)) for n in range(3)], [], [])
    table = asked.shopper.products
    at = np.full(1, LATE, dtype=np.int64)
    decay = 2.0 ** (days_ago / asked.products.features.repeat_half_life_days)
    even = type(table)(table.keys, table.count, np.full(1, 2.0 * decay), at - 14 * DAY, at)
    shopper = ShopperState(orders=3, last_at=LATE, products=even)
    found = signals(Context(asked.products, shopper, asked.cart, now), ALL, WEIGHTS)
    assert found.history[3] == pytest.approx(expected)


def test_kinds_are_those_that_have_a_weight() -> None:
    assert get_args(Kind) == KINDS
    assert set(KINDS) <= set(SignalSettings.model_fields)


def test_a_context_without_any_part_is_refused() -> None:
    none = {"cart": 0.0, "popularity": 0.0, "price": 0.0}
    with pytest.raises(ConfigError, match="give one of them a part"):
        load_settings(ranking={"weights": none})
