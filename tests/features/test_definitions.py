"""The feature matrix as a whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.context import Context
from features.definitions import COLUMNS, FEATURES, assemble
from features.shopper import ShopperState
from tests.features.histories import START, Bought, history, orders
from tests.features.test_no_leakage import matrix_at, state_before

LATE = START + 200 * 86_400
EVERYTHING = np.arange(12, dtype=np.int32)


def test_every_column_has_a_name_of_its_own_and_a_meaning() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert all(len(meaning) > 10 for feature in FEATURES for meaning in feature.columns.values())


@given(orders(), st.lists(st.integers(0, 11), max_size=6, unique=True))
@settings(max_examples=40, deadline=None)
def test_no_value_is_infinite_whatever_the_history_and_cart(past: list[Bought], cart: list[int]) -> None:
    known = history(past)
    for state in (ShopperState.empty(), state_before(known, 0, LATE)):
        context = Context(matrix_at(known, LATE), state, np.array(sorted(cart), dtype=np.int32), float(LATE))
        matrix = assemble(context, EVERYTHING)
        assert matrix.shape == (12, len(COLUMNS))
        assert matrix.dtype == np.float32
        assert not np.isinf(matrix).any()


@given(orders(), st.permutations(list(range(12))))
@settings(max_examples=40, deadline=None)
def test_a_candidates_features_do_not_depend_on_the_other_candidates(past: list[Bought], order: list[int]) -> None:
    known = history(past)
    context = Context(
        matrix_at(known, LATE), state_before(known, 0, LATE), np.array([1, 2], dtype=np.int32), float(LATE)
    )
    shuffled = np.array(order, dtype=np.int32)
    assert np.array_equal(assemble(context, EVERYTHING)[shuffled], assemble(context, shuffled), equal_nan=True)


def test_a_product_bought_every_week_is_due_after_a_week() -> None:
    week = 7 * 86_400
    known = history([Bought(START + number * week, 0, (3,)) for number in range(5)])
    now = START + 5 * week
    context = Context(matrix_at(known, now), state_before(known, 0, now), np.array([1], dtype=np.int32), float(now))
    row = dict(zip(COLUMNS, assemble(context, np.array([3], dtype=np.int32))[0].tolist(), strict=True))
    assert (row["repeat_count"], row["repeat_share"]) == (5.0, 1.0)
    assert (row["repeat_gap_days"], row["repeat_days_since"], row["repeat_due"]) == (7.0, 7.0, 1.0)
