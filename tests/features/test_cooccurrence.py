"""Co-occurrence against dense counting."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from features.context import link
from features.cooccurrence import cooccurrence
from tests.features.histories import FEATURES, START, Bought, history, orders

LATE = START + 10**9


@given(orders())
@settings(max_examples=60, deadline=None)
def test_every_weight_equals_the_dense_formula(past: list[Bought]) -> None:
    built = cooccurrence(history(past), LATE, FEATURES)
    baskets = np.array([[p in order.products for p in range(12)] for order in past], dtype=float)
    together = baskets.T @ baskets
    n = baskets.sum(axis=0)
    cosine = together / (np.sqrt(np.outer(n, n)) + FEATURES.cosine_shrinkage)
    confidence = together / (n[:, None] + FEATURES.confidence_shrinkage)
    for neighbours, expected in ((built.cosine, cosine), (built.confidence, confidence)):
        for product in range(12):
            row = slice(neighbours.start[product], neighbours.start[product + 1])
            partners = {p for p in range(12) if p != product and together[product, p] > 0}
            assert set(neighbours.partner[row].tolist()) == partners
            np.testing.assert_allclose(neighbours.weight[row], expected[product, neighbours.partner[row]], rtol=1e-5)
            assert np.all(np.diff(neighbours.weight[row]) <= 0)


@given(orders())
@settings(max_examples=60, deadline=None)
def test_category_confidence_counts_orders_not_lines(past: list[Bought]) -> None:
    known = history(past)
    leaf = known.catalogue.levels.leaf
    built = cooccurrence(known, LATE, FEATURES).leaf
    held = np.array([[any(leaf[p] == c for p in order.products) for c in range(3)] for order in past], dtype=float)
    np.testing.assert_allclose(built.share, held.mean(axis=0), rtol=1e-6)
    together, n = held.T @ held, held.sum(axis=0)
    confidence = together / (n[:, None] + FEATURES.category_shrinkage)
    np.fill_diagonal(confidence, 0.0)
    cart = np.array([0, 2], dtype=np.int32)
    np.testing.assert_allclose(built.given(cart), confidence[cart].mean(axis=0), rtol=1e-5)
    assert built.given(np.empty(0, dtype=np.int32)).tolist() == [0.0, 0.0, 0.0]


def test_only_the_strongest_partners_are_kept() -> None:
    few = FEATURES.model_copy(update={"neighbours": 1})
    past = [Bought(START, 0, (0, 1)), Bought(START + 1, 0, (0, 1)), Bought(START + 2, 0, (0, 2))]
    built = cooccurrence(history(past), LATE, few)
    assert built.cosine.partner[built.cosine.start[0] : built.cosine.start[1]].tolist() == [1]


@given(orders())
@settings(max_examples=60, deadline=None)
def test_links_of_a_cart_equal_a_sum_over_its_products(past: list[Bought]) -> None:
    cosine = cooccurrence(history(past), LATE, FEATURES).cosine
    dense = np.zeros((12, 12), dtype=np.float32)
    for product in range(12):
        row = slice(cosine.start[product], cosine.start[product + 1])
        dense[product, cosine.partner[row]] = cosine.weight[row]
    cart = np.array([1, 4, 7], dtype=np.int32)
    slot = np.zeros(12, dtype=np.int32)
    links = link(cosine, cart, slot)
    assert not slot.any()
    assert links.partner.tolist() == np.flatnonzero(dense[cart].sum(axis=0)).tolist()
    np.testing.assert_allclose(links.total, dense[cart].sum(axis=0)[links.partner], rtol=1e-5)
    np.testing.assert_allclose(links.strongest, dense[cart].max(axis=0)[links.partner], rtol=1e-6)
    for via, partner, weight in zip(links.via, links.partner, links.strongest, strict=True):
        assert dense[via, partner] == weight
        assert via in cart


def test_an_empty_cart_links_to_nothing() -> None:
    links = link(
        cooccurrence(history([Bought(START, 0, (0, 1))]), LATE, FEATURES).cosine,
        np.empty(0, dtype=np.int32),
        np.zeros(12, dtype=np.int32),
    )
    assert links.partner.size == 0
    assert links.find(np.array([1], dtype=np.int32))[1].tolist() == [False]
