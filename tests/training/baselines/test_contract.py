"""What every baseline promises, whatever the cart, the shopper and the history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from features.context import Context, ProductMatrix
from features.cooccurrence import cooccurrence
from features.history import History
from features.products import product_stats
from features.shopper import ShopperState, fold
from tests.features.histories import DAY, FEATURES, START, Bought, history, orders
from tests.training.baselines.conftest import Shop
from training.baselines import BASELINES, Baseline

SLOW = {"als", "implicit_bm25", "implicit_cosine"}
"""Fits of `implicit` take long enough that random histories get fewer of them."""

every = pytest.mark.parametrize("kind", BASELINES, ids=lambda kind: kind.name)
Fitted = dict[type[Baseline], Baseline]


def matrix_of(shop: History, as_of: int) -> ProductMatrix:
    stats, together = product_stats(shop, as_of, FEATURES), cooccurrence(shop, as_of, FEATURES)
    return ProductMatrix(shop.catalogue, stats, together, FEATURES)


def state_of(shop: History, shopper: int, as_of: int) -> ShopperState:
    known = shop.before(as_of)
    return fold((known.order(int(order)) for order in np.flatnonzero(known.shopper == shopper)), FEATURES)


def test_names_are_distinct_and_printable() -> None:
    names = [kind.name for kind in BASELINES]
    assert len(set(names)) == len(names) == 15
    assert all(name.isidentifier() and name.islower() for name in names)


@every
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cart_gives_k_distinct_eligible_products_best_first(
    shop: Shop, fitted: Fitted, kind: type[Baseline], data: st.DataObject
) -> None:
    size = len(shop.matrix.catalogue)
    cart = data.draw(st.lists(st.integers(0, size - 1), max_size=30))
    shopper = data.draw(st.sampled_from([shop.regular, ShopperState.empty()]))
    k = data.draw(st.integers(1, size + 5))
    context = shop.context(cart, shopper, data.draw(st.floats(-5, 60)))
    rows, scores = fitted[kind].rank(context, k)
    assert rows.dtype == np.int32
    assert scores.dtype == np.float64
    in_stock = shop.matrix.catalogue.in_stock
    available = set(np.flatnonzero(in_stock).tolist()) - set(cart)
    assert rows.size == scores.size == min(k, len(available))
    assert set(rows.tolist()) <= available
    assert np.unique(rows).size == rows.size
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()


@every
def test_order_and_duplicates_of_a_cart_do_not_matter(shop: Shop, fitted: Fitted, kind: type[Baseline]) -> None:
    cart = [3, 9, 5, 14, 7]
    answers = [fitted[kind].rank(shop.context(each, shop.regular), 10) for each in (cart, cart[::-1], cart * 3)]
    for rows, scores in answers[1:]:
        np.testing.assert_array_equal(rows, answers[0][0])
        np.testing.assert_array_equal(scores, answers[0][1])


@every
def test_a_longer_list_begins_with_the_shorter_one(shop: Shop, fitted: Fitted, kind: type[Baseline]) -> None:
    context = shop.context([2, 6, 11], shop.regular)
    longest, _ = fitted[kind].rank(context, 25)
    for k in (0, 1, 5, 24):
        np.testing.assert_array_equal(fitted[kind].rank(context, k)[0], longest[:k])


@pytest.mark.parametrize("kind", [kind for kind in BASELINES if kind.name != "recent_popularity"])
def test_nobody_with_nothing_gets_what_is_popular(shop: Shop, fitted: Fitted, kind: type[Baseline]) -> None:
    rows, _ = fitted[kind].rank(shop.context([], ShopperState.empty()), 10)
    popular = shop.matrix.by_popularity
    np.testing.assert_array_equal(rows, popular[shop.matrix.catalogue.in_stock[popular]][:10])


@every
def test_products_out_of_stock_are_never_ranked(shop: Shop, fitted: Fitted, kind: type[Baseline]) -> None:
    in_stock = np.zeros(len(shop.matrix.catalogue), dtype=bool)
    in_stock[[4, 8, 20]] = True
    scarce = replace(shop, matrix=replace(shop.matrix, catalogue=replace(shop.matrix.catalogue, in_stock=in_stock)))
    rows, _ = fitted[kind].rank(scarce.context([3, 8], shop.regular), 10)
    assert sorted(rows.tolist()) == [4, 20]


@every
def test_orders_after_the_cutoff_change_nothing(shop: Shop, fitted: Fitted, kind: type[Baseline]) -> None:
    known = len(shop.history.before(shop.as_of))
    assert known < len(shop.history)
    lines = int(shop.history.start[known])
    shuffled = shop.history.product.copy()
    shuffled[lines:] = np.random.default_rng(3).permutation(shuffled[lines:])
    for changed in (shop.history.before(shop.as_of), replace(shop.history, product=shuffled)):
        again = kind.fit(changed, shop.matrix, shop.as_of)
        for cart in ([], [1], [3, 9, 5, 14, 7]):
            context = shop.context(cart, shop.regular)
            expected, scores = fitted[kind].rank(context, 20)
            rows, found = again.rank(context, 20)
            np.testing.assert_array_equal(rows, expected)
            np.testing.assert_allclose(found, scores)


@pytest.mark.parametrize("kind", [kind for kind in BASELINES if kind.name not in SLOW], ids=lambda kind: kind.name)
@given(bought=orders(), data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_small_history_can_be_fitted_and_ranked(
    kind: type[Baseline], bought: list[Bought], data: st.DataObject
) -> None:
    shop, as_of = history(bought), START + data.draw(st.integers(0, 110)) * DAY
    matrix = matrix_of(shop, as_of) if len(shop.before(as_of)) else matrix_of(shop, START + 110 * DAY)
    fitted = kind.fit(shop, matrix, as_of)
    cart = np.unique(np.array(data.draw(st.lists(st.integers(0, 11), max_size=12)), dtype=np.int32))
    state = state_of(shop, data.draw(st.integers(0, 3)), as_of + 5 * DAY)
    rows, scores = fitted.rank(Context(matrix, state, cart, as_of + 5 * DAY), 12)
    assert sorted(rows.tolist()) == sorted(set(range(12)) - set(cart.tolist()))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()


@every
def test_without_any_order_before_the_cutoff_everything_is_still_ranked(kind: type[Baseline]) -> None:
    shop = history([Bought(START + 50 * DAY, 0, (1, 2))], products=5)
    matrix = matrix_of(shop, START)
    rows, scores = kind.fit(shop, matrix, START).rank(
        Context(matrix, ShopperState.empty(), np.array([2], dtype=np.int32), START), 10
    )
    assert sorted(rows.tolist()) == [0, 1, 3, 4]
    np.testing.assert_array_equal(scores, 0.0)


@every
def test_a_catalogue_of_one_product_works(kind: type[Baseline]) -> None:
    shop = history([Bought(START, 0, (0,)), Bought(START + DAY, 0, (0,))], products=1)
    late = START + 9 * DAY
    matrix = matrix_of(shop, late)
    fitted = kind.fit(shop, matrix, late)
    none, all_of_it = np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.int32)
    assert fitted.rank(Context(matrix, state_of(shop, 0, late), none, late), 10)[0].tolist() == [0]
    assert fitted.rank(Context(matrix, state_of(shop, 0, late), all_of_it, late), 10)[0].size == 0


@every
def test_a_matrix_of_another_catalogue_is_refused(shop: Shop, kind: type[Baseline]) -> None:
    other = history([Bought(START, 0, (0, 1))], products=3)
    with pytest.raises(DataError, match="has 3 products"):
        kind.fit(other, shop.matrix, shop.as_of)
