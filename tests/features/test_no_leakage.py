"""Nothing known at t may depend on anything after t."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.context import Context, ProductMatrix
from features.cooccurrence import cooccurrence
from features.definitions import assemble
from features.history import History
from features.offline import shopper_snapshots
from features.products import ProductStats, product_stats
from features.shopper import ShopperState, fold
from tests.features.histories import DAY, FEATURES, START, Bought, history, orders

moments = st.integers(0, 400).map(lambda step: START + step * DAY // 4)


def matrix_at(past: History, moment: int) -> ProductMatrix:
    return ProductMatrix(
        past.catalogue, product_stats(past, moment, FEATURES), cooccurrence(past, moment, FEATURES), FEATURES
    )


def state_before(past: History, shopper: int, moment: int) -> ShopperState:
    known = past.before(moment)
    return fold((known.order(i) for i in range(len(known)) if known.shopper[i] == shopper), FEATURES)


def rewritten_future(past: list[Bought], moment: int) -> list[Bought]:
    """Every later order becomes another shopper's, with other products, an hour later."""
    later = [
        Bought(order.at + 3_600, (order.shopper + 1) % 4, tuple((p + 5) % 12 for p in order.products))
        for order in past
        if order.at >= moment
    ]
    return [order for order in past if order.at < moment] + later


@given(orders(), moments, st.lists(st.integers(0, 11), min_size=1, max_size=4, unique=True))
@settings(max_examples=40, deadline=None)
def test_changing_or_deleting_the_future_changes_no_feature(past: list[Bought], moment: int, cart: list[int]) -> None:
    candidates = np.arange(12, dtype=np.int32)
    matrices = []
    for variant in (past, rewritten_future(past, moment), [order for order in past if order.at < moment]):
        known = history(variant)
        context = Context(
            matrix_at(known, moment),
            state_before(known, 0, moment),
            np.array(sorted(cart), dtype=np.int32),
            float(moment),
        )
        matrices.append(assemble(context, candidates))
    assert np.array_equal(matrices[0], matrices[1], equal_nan=True)
    assert np.array_equal(matrices[0], matrices[2], equal_nan=True)


@given(orders(), moments)
@settings(max_examples=40, deadline=None)
def test_snapshots_up_to_a_moment_do_not_depend_on_what_comes_later(past: list[Bought], moment: int) -> None:
    moment = max(moment, START + 10 * DAY)  # earlier moments have no snapshots of their own

    def up_to(variant: list[Bought]) -> dict[tuple[str, int], tuple[int, float]]:
        snapshots = shopper_snapshots(history(variant), START + 10 * DAY, FEATURES)
        return {(who, at): (state.orders, state.paid) for who, at, state in snapshots if at < moment}

    assert up_to(past) == up_to(rewritten_future(past, moment))


@given(orders())
@settings(max_examples=40, deadline=None)
def test_a_snapshot_holds_exactly_the_orders_up_to_its_stamp(past: list[Bought]) -> None:
    known = history(past)
    for who, at, state in shopper_snapshots(known, START + 10 * DAY, FEATURES):
        expected = state_before(known, int(who[1:]), at + 1)
        assert state.orders == expected.orders
        assert np.array_equal(state.products.rate, expected.products.rate)


@given(orders(), moments)
@settings(max_examples=40, deadline=None)
def test_product_statistics_equal_a_plain_count(past: list[Bought], moment: int) -> None:
    stats = product_stats(history(past), moment, FEATURES)
    for product in range(12):
        sold = [order.at for order in past if product in order.products and order.at < moment]
        assert stats.orders[product] == len(sold)
        worth = sum(0.5 ** ((moment - at) / (FEATURES.popularity_half_life_days * DAY)) for at in sold)
        np.testing.assert_allclose(stats.popularity[product], worth, rtol=1e-5)
        assert np.isnan(stats.price[product]) == (not sold)
    assert len(ProductStats.names()) == 6
