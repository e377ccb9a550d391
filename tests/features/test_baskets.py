"""A shopper's newest baskets: what is kept, and what they say of a cart, against counting one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.baskets import RecentBaskets
from features.own_baskets import OwnBaskets, own_baskets
from tests.features.histories import DAY, START

LEAF = np.arange(12, dtype=np.int32) % 3
NOW = float(START + 300 * DAY)
baskets_of = st.lists(
    st.tuples(st.integers(0, 200), st.lists(st.integers(0, 11), min_size=1, max_size=6, unique=True).map(sorted)),
    max_size=15,
).map(lambda orders: sorted(orders, key=lambda order: order[0]))
carts = st.lists(st.integers(0, 11), max_size=5, unique=True).map(sorted)
Orders = list[tuple[int, list[int]]]


def record(orders: Orders, limit: int = 1_000) -> RecentBaskets:
    kept = RecentBaskets.empty()
    for day, products in orders:
        kept = kept.update(np.array(products, dtype=np.int64), START + day * DAY, limit)
    return kept


def said(orders: Orders, cart: list[int]) -> OwnBaskets:
    kept = record(orders)
    rows, in_cart = kept.products.astype(np.int32), np.array(cart, dtype=np.int32)
    return own_baskets(kept, rows, LEAF, in_cart, now=NOW, half_life_days=90.0, slot=np.zeros(12, np.int32))


@given(baskets_of)
@settings(max_examples=60, deadline=None)
def test_packing_loses_nothing(orders: Orders) -> None:
    kept = record(orders)
    again = RecentBaskets.unpack(kept.pack())
    for name in ("at", "size", "products"):
        assert np.array_equal(getattr(again, name), getattr(kept, name))


@pytest.mark.parametrize("damaged", [b"", b"12345", b"\x05" + b"\x00" * 15])
def test_damaged_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="baskets"):
        RecentBaskets.unpack(damaged)


@given(baskets_of, st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_the_newest_baskets_that_fit_are_kept_whole(orders: Orders, limit: int) -> None:
    kept = record(orders, limit)
    expected: Orders = []
    for day, products in reversed(orders):
        if sum(len(held) for _, held in expected) + min(len(products), limit) > limit:
            break
        expected.insert(0, (day, products[:limit]))
    assert kept.at.tolist() == [START + day * DAY for day, _ in expected]
    assert kept.products.tolist() == [product for _, products in expected for product in products]


@given(baskets_of, carts)
@settings(max_examples=80, deadline=None)
def test_every_share_equals_counting_basket_by_basket(orders: Orders, cart: list[int]) -> None:
    own = said(orders, cart)
    assert own.product.tolist() == sorted({product for _, products in orders for product in products})
    leaves = {int(LEAF[product]) for product in cart}
    recency = [0.5 ** ((300 - day) / 90) for day, _ in orders]
    root = [math.sqrt(len(products) * max(1, len(cart))) for _, products in orders]
    likeness = {
        "share": [len(set(products) & set(cart)) / root[i] for i, (_, products) in enumerate(orders)],
        "category_share": [
            sum(LEAF[p] in leaves for p in products) / root[i] for i, (_, products) in enumerate(orders)
        ],
        "size_share": [min(len(p), len(cart)) / max(len(p), len(cart)) for _, p in orders],
    }
    for name, like in likeness.items():
        weight = [recency[i] * like[i] for i in range(len(orders))]
        for place, product in enumerate(own.product.tolist()):
            of_product = sum(w for w, (_, products) in zip(weight, orders, strict=True) if product in products)
            expected = of_product / sum(weight) if sum(weight) else 0.0
            assert getattr(own, name)[place] == pytest.approx(expected, abs=1e-9)


@given(baskets_of, carts)
@settings(max_examples=80, deadline=None)
def test_rhythm_equals_counting_basket_by_basket(orders: Orders, cart: list[int]) -> None:
    own = said(orders, cart)
    for place, product in enumerate(own.product.tolist()):
        held = [number for number, (_, products) in enumerate(orders) if product in products]
        ago = len(orders) - 1 - held[-1]
        assert own.baskets_ago[place] == ago
        if len(held) > 1:
            assert own.due[place] == pytest.approx((ago + 1) / ((held[-1] - held[0]) / (len(held) - 1)))
        else:
            assert math.isnan(own.due[place])
        later = orders[held[-1] + 1 :]
        assert own.category_since[place] == sum(
            any(LEAF[p] == LEAF[product] for p in products) for _, products in later
        )


def test_products_that_left_the_catalogue_do_not_count() -> None:
    kept = record([(0, [1, 2]), (10, [2, 3])])
    rows = np.array([-1, 2, 2, 3], dtype=np.int32)
    own = own_baskets(
        kept, rows, LEAF, np.array([3], dtype=np.int32), now=NOW, half_life_days=90.0, slot=np.zeros(12, np.int32)
    )
    assert own.product.tolist() == [2, 3]
    assert own.share.tolist() == [1.0, 1.0]
