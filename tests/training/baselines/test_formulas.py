"""The less obvious formulas against loops and dense algebra written out from their definitions."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from features.context import Context
from features.history import History
from features.shopper import ShopperState
from tests.features.histories import DAY, FEATURES, START, Bought, history, orders
from tests.training.baselines.test_contract import matrix_of, state_of
from training.baselines.als import Als
from training.baselines.ease import ease_weights, fewest_orders
from training.baselines.item_item import ItemItemCosine, Lift
from training.baselines.people import People
from training.baselines.pernir import PerNir, mean_closeness
from training.baselines.tifu_knn import TifuKnn
from training.baselines.up_cf import UpCf

LATE = START + 101 * DAY
HALF_LIFE = FEATURES.repeat_half_life_days * DAY
carts = st.lists(st.integers(0, 11), min_size=1, max_size=5, unique=True).map(sorted)


def decay(at: int) -> float:
    return 0.5 ** ((LATE - at) / HALF_LIFE)


def profile(bought: list[Bought], shopper: int) -> dict[int, float]:
    """The expected share of orders with each product, from the orders themselves."""
    mine = [order for order in bought if order.shopper == shopper]
    worth = {p: sum(decay(o.at) for o in mine if p in o.products) for o in mine for p in o.products}
    lines = sum(len(order.products) for order in mine)
    return {p: w / sum(worth.values()) * lines / len(mine) for p, w in worth.items()}


def dot(a: dict[int, float], b: dict[int, float]) -> float:
    return sum(value * b.get(product, 0.0) for product, value in a.items())


def alone_at_their_start(bought: list[Bought]) -> bool:
    """Whether no two shoppers began at the same moment, so that a state tells whose it is."""
    starts = [min(o.at for o in bought if o.shopper == who) for who in {o.shopper for o in bought}]
    return len(set(starts)) == len(starts)


def scores_by_product(kind: type[UpCf | TifuKnn | PerNir], bought: list[Bought], cart: list[int]) -> dict[int, float]:
    shop = history(bought)
    matrix = matrix_of(shop, LATE)
    context = Context(matrix, state_of(shop, 0, LATE), np.array(cart, dtype=np.int32), LATE)
    rows, scores = kind.fit(shop, matrix, LATE).rank(context, 12)
    return dict(zip(rows.tolist(), scores.tolist(), strict=True))


shoppers_told_apart = orders().filter(
    lambda bought: any(o.shopper == 0 for o in bought) and alone_at_their_start(bought)
)


@given(shoppers_told_apart)
@settings(max_examples=40, deadline=None)
def test_up_cf_equals_its_definition(bought: list[Bought]) -> None:
    me = profile(bought, 0)
    expected = dict(me)
    for other in {o.shopper for o in bought} - {0}:
        them = profile(bought, other)
        alike = dot(me, them) / (dot(me, me) ** UpCf.asymmetry * dot(them, them) ** (1 - UpCf.asymmetry))
        for product, value in them.items():
            expected[product] = expected.get(product, 0.0) + alike**UpCf.locality * value
    found = scores_by_product(UpCf, bought, [])
    assert found == pytest.approx({p: expected.get(p, 0.0) for p in range(12)}, rel=1e-6)


@given(shoppers_told_apart)
@settings(max_examples=40, deadline=None)
def test_tifu_knn_equals_its_definition(bought: list[Bought]) -> None:
    me = profile(bought, 0)
    others = [profile(bought, who) for who in {o.shopper for o in bought} - {0}]  # fewer than the neighbours taken
    expected = {
        p: TifuKnn.own_share * me.get(p, 0.0)
        + (1 - TifuKnn.own_share) * sum(them.get(p, 0.0) for them in others) / max(len(others), 1)
        for p in range(12)
    }
    assert scores_by_product(TifuKnn, bought, []) == pytest.approx(expected, rel=1e-6)


@given(shoppers_told_apart, carts)
@settings(max_examples=60, deadline=None)
def test_pernir_equals_its_definition(bought: list[Bought], cart: list[int]) -> None:
    me = profile(bought, 0)
    place = PerNir.cart_weight * math.log(len(cart)) * sum(1 / (1 + step) for step in range(len(cart))) / len(cart)

    def f(who: int, product: int) -> float:
        total = 0.0
        for order in bought:
            if order.shopper == who and product in order.products:
                likeness = place * closeness_by_hand(len(order.products)) * len(set(order.products) & set(cart))
                total += decay(order.at) * (1 + likeness)
        return total

    others = {who: profile(bought, who) for who in {o.shopper for o in bought} - {0}}
    alike = {who: dot(me, them) / math.sqrt(dot(me, me) * dot(them, them)) for who, them in others.items()}
    expected = {}
    for product in set(range(12)) - set(cart):
        buyers = [who for who, them in others.items() if product in them and alike[who] > 0]
        mean = sum(alike[who] * f(who, product) for who in buyers) / max(len(buyers), 1)
        expected[product] = f(0, product) + mean
    assert scores_by_product(PerNir, bought, cart) == pytest.approx(expected, rel=1e-5)


def closeness_by_hand(m: int) -> float:
    pairs = list(permutations(range(m), 2))
    return sum(1 / abs(i - j) for i, j in pairs) / len(pairs) if pairs else 0.0


def test_the_mean_closeness_of_places_equals_the_mean_over_all_pairs() -> None:
    sizes = np.arange(0, 40, dtype=np.int32)
    np.testing.assert_allclose(mean_closeness(sizes), [closeness_by_hand(int(m)) for m in sizes], atol=1e-12)
    assert mean_closeness(np.empty(0, dtype=np.int32)).size == 0


@given(orders(), st.floats(0.5, 500))
@settings(max_examples=40, deadline=None)
def test_ease_equals_its_closed_form(bought: list[Bought], regularization: float) -> None:
    shop = history(bought)
    held = np.zeros((len(shop), 12))
    held[shop.line_order, shop.product] = 1
    inverse = np.linalg.inv(held.T @ held + regularization * np.eye(12))
    expected = np.eye(12) - inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    found = ease_weights(sp.csr_matrix(held), regularization)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(np.diag(found), 0)


def test_ease_weights_minimise_the_regularised_error() -> None:
    generator = np.random.default_rng(2)
    held = (generator.random((60, 6)) < 0.4).astype(float)
    found = ease_weights(sp.csr_matrix(held), 3.0).astype(float)

    def loss(weights: np.ndarray) -> float:
        return float(((held - held @ weights) ** 2).sum() + 3.0 * (weights**2).sum())

    for _ in range(200):
        nudge = generator.normal(0, 0.05, (6, 6))
        np.fill_diagonal(nudge, 0)
        assert loss(found + nudge) > loss(found)


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 30))
def test_the_fewest_orders_leave_no_more_products_than_wanted_and_no_fewer_than_must_be(
    counts: list[int], most: int
) -> None:
    array = np.array(counts, dtype=np.float64)
    fewest = fewest_orders(array, most)
    assert fewest >= 1
    assert (array >= fewest).sum() <= most
    assert fewest == 1 or (array >= fewest - 1).sum() > most


@given(orders(), carts)
@settings(max_examples=40, deadline=None)
def test_cosine_and_lift_equal_their_definitions(bought: list[Bought], cart: list[int]) -> None:
    shop = history(bought)
    matrix = matrix_of(shop, LATE)
    n = [sum(p in o.products for o in bought) for p in range(12)]
    context = Context(matrix, ShopperState.empty(), np.array(cart, dtype=np.int32), LATE)
    for kind, exponent, shrinkage in (
        (ItemItemCosine, 0.5, FEATURES.cosine_shrinkage),
        (Lift, Lift.exponent, Lift.shrinkage),
    ):
        rows, scores = kind.fit(shop, matrix, LATE).rank(context, 12)
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            together = {i: sum(row in o.products and i in o.products for o in bought) for i in cart}
            expected = sum(c / ((n[i] * n[row]) ** exponent + shrinkage) for i, c in together.items())
            assert score == pytest.approx(expected, rel=1e-5)


def test_folding_a_cart_in_solves_the_weighted_least_squares_of_one_order() -> None:
    shop: History = history([Bought(START + day * DAY, day % 3, (day % 12, (day * 5 + 1) % 12)) for day in range(60)])
    fitted = Als.fit(shop, matrix_of(shop, LATE), LATE)
    cart = np.array([1, 6], dtype=np.int32)
    items = fitted.item_factors.astype(float)
    confidence, wanted = np.ones(12), np.zeros(12)
    confidence[cart], wanted[cart] = Als.alpha, 1.0
    # Ridge regression as ordinary least squares with the penalty as further rows.
    rows = np.vstack([items * np.sqrt(confidence)[:, None], np.sqrt(Als.regularization) * np.eye(items.shape[1])])
    right = np.concatenate([wanted * np.sqrt(confidence), np.zeros(items.shape[1])])
    expected = np.linalg.lstsq(rows, right, rcond=None)[0]
    np.testing.assert_allclose(items @ fitted.fold_in(cart), items @ expected, atol=1e-4)


def test_a_live_state_is_recognised_only_if_it_can_be_nobody_else() -> None:
    bought = [
        Bought(START, 0, (1,)),
        Bought(START + DAY, 0, (2,)),
        Bought(START + DAY, 1, (3,)),
        Bought(START, 2, (4,)),
    ]
    shop = history(bought)
    later = history([*bought, Bought(LATE + DAY, 1, (5,))])
    people = People.of(shop, LATE, 90.0)
    assert people.row_of(state_of(later, 1, LATE + 2 * DAY)) == 1
    assert people.row_of(state_of(shop, 0, LATE)) == -1  # shopper 2 began at the same moment
    assert people.row_of(state_of(shop, 2, LATE)) == 2  # shopper 0 has more orders than this state
    assert people.row_of(ShopperState.empty()) == -1
