"""A search by rounded vectors finds what a search by the true ones does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.pool import Pool


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 20), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_the_nearest_are_those_of_a_whole_search_the_earlier_of_equals_first(
    seed: int, size: int, numbers: int, limit: int
) -> None:
    chance = np.random.default_rng(seed)
    # Small whole numbers: their sums are exact in any order, and many are equal. Long rows beside short ones.
    vectors = (chance.integers(-9, 10, (2 * size, numbers)) * chance.choice([1, 30], (2 * size, 1))).astype(np.float32)
    bias = chance.integers(-5, 6, 2 * size).astype(np.float32)
    rows = chance.permutation(2 * size)[:size].astype(np.int32)
    asked = chance.integers(-9, 10, numbers).astype(np.float32)
    score = {row: float(vectors[row].astype(int) @ asked.astype(int) + bias[row]) for row in rows.tolist()}
    expected = sorted(rows.tolist(), key=lambda row: -score[row])[:limit]
    found = Pool.of(rows, vectors, bias).nearest(asked, limit)
    assert (found.dtype, found.tolist()) == (np.int32, expected)


@pytest.mark.parametrize("limit", [0, 3])
def test_an_empty_pool_and_a_request_for_none_find_nothing(limit: int) -> None:
    vectors, bias = np.ones((4, 8), np.float32), np.zeros(4, np.float32)
    empty = Pool.of(np.empty(0, np.int32), vectors, bias)
    assert empty.nearest(vectors[0], limit).size == 0
    assert Pool.of(np.arange(4, dtype=np.int32), vectors, bias).nearest(vectors[0], limit).size == limit
