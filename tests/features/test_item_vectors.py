"""Item vectors against dense linear algebra, and what they are for: products nobody bought yet."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings

from features.context import Context
from features.cooccurrence import cooccurrence
from features.definitions import COLUMNS, assemble
from features.item_vectors import item_vectors
from features.shopper import ShopperState
from tests.features.histories import DAY, FEATURES, START, Bought, history, orders
from tests.features.test_no_leakage import matrix_at, state_before

LATE = START + 10**9
EVERYTHING = np.arange(12, dtype=np.int32)


@given(orders())
@settings(max_examples=40, deadline=None)
def test_vectors_have_length_one_or_are_unknown(past: list[Bought]) -> None:
    vectors = cooccurrence(history(past), LATE, FEATURES).vectors
    assert vectors.shape == (12, 12)
    assert vectors.dtype == np.float32
    length = np.linalg.norm(vectors, axis=1)
    assert np.all((np.abs(length - 1) < 1e-4) | (length == 0))


def test_without_a_category_to_lean_on_they_are_the_leading_eigenvectors() -> None:
    rng = np.random.default_rng(4)
    dense = rng.random((9, 9)) * (rng.random((9, 9)) < 0.6)
    dense = (dense + dense.T) / 2
    found = item_vectors(
        sp.csr_matrix(dense.astype(np.float32)), np.full(9, 10**9), np.arange(9, dtype=np.int32), 9, 1.0
    )
    value, vector = np.linalg.eigh(dense)
    exact = vector * np.sqrt(np.maximum(value, 0))
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, exact @ exact.T, atol=1e-4)


def test_a_product_never_sold_has_its_categorys_vector() -> None:
    # Products 0, 3, 6 and 9 are of category A, 1, 4, 7 of B; 9 was never sold. Baskets are of one category each.
    past = [Bought(START + day * DAY, 0, ((0, 3, 6) if day % 2 else (1, 4, 7))) for day in range(20)]
    vectors = cooccurrence(history(past), LATE, FEATURES).vectors
    assert vectors[9] @ vectors[0] > 0.9
    assert abs(vectors[9] @ vectors[1]) < 0.1


def test_nothing_sold_means_nothing_known() -> None:
    assert not cooccurrence(history([Bought(START, 0, (0,))]), LATE, FEATURES).vectors.any()


def test_columns_equal_the_formulas_by_hand() -> None:
    past = [Bought(START + day * DAY, day % 2, tuple({day % 12, (day * 5) % 12, 3})) for day in range(40)]
    known, now = history(past), START + 50 * DAY
    matrix, state = matrix_at(known, now), state_before(known, 0, now)
    cart = np.array([1, 3, 4, 8], dtype=np.int32)
    found = dict(zip(COLUMNS, assemble(Context(matrix, state, cart, float(now)), EVERYTHING).T, strict=True))
    vectors, together = matrix.together.vectors, matrix.together
    like = vectors @ vectors[cart].T
    np.testing.assert_allclose(found["vector_cart_mean"], like.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(found["vector_cart_max"], like.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(found["vector_cart_nearest"], np.sort(like, axis=1)[:, 1:].mean(axis=1), atol=1e-5)
    rate = dict(zip(state.products.keys, state.products.at(now, 90.0), strict=True))
    weight = np.array([rate.get(key, 0.0) for key in known.catalogue.keys])
    cosine = np.zeros((12, 12))
    for row in range(12):
        part = slice(together.cosine.start[row], together.cosine.start[row + 1])
        cosine[row, together.cosine.partner[part]] = together.cosine.weight[part]
    np.testing.assert_allclose(found["usual_cosine"], weight @ cosine, rtol=1e-4)
    usual = np.sqrt(weight) @ vectors / np.sqrt(weight).sum()
    np.testing.assert_allclose(found["vector_usual"], vectors @ usual, atol=1e-5)


def test_an_unknown_shopper_with_an_empty_cart_is_near_to_nothing() -> None:
    known = history([Bought(START, 0, (0, 1, 2))])
    context = Context(matrix_at(known, LATE), ShopperState.empty(), np.empty(0, dtype=np.int32), float(LATE))
    found = dict(zip(COLUMNS, assemble(context, EVERYTHING).T, strict=True))
    for column in ("vector_cart_mean", "vector_cart_max", "vector_cart_nearest", "vector_usual", "usual_cosine"):
        assert not found[column].any()
