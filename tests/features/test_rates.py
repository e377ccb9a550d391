"""The decayed purchase table against a plain sum over all purchases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.decay import decayed
from features.rates import RateTable

HALF_LIFE = 10.0
DAY = 86_400

purchases = st.lists(
    st.tuples(st.integers(0, 200), st.lists(st.integers(1, 8), min_size=1, unique=True)), max_size=30
).map(lambda items: sorted((day * DAY, sorted(keys)) for day, keys in items))


def fold(items: list[tuple[int, list[int]]], limit: int = 100) -> RateTable:
    table = RateTable.empty()
    for at, keys in items:
        table = table.update(np.array(keys, dtype=np.int64), at, HALF_LIFE, limit)
    return table


def test_a_purchase_one_half_life_ago_is_worth_half() -> None:
    assert decayed(np.array([1.0]), np.array([0]), 10 * DAY, 10.0) == pytest.approx([0.5])


def test_a_moment_after_now_does_not_inflate_a_weight() -> None:
    assert decayed(np.array([1.0]), np.array([5 * DAY]), 0.0, 10.0) == pytest.approx([1.0])


@given(purchases)
def test_the_streaming_table_equals_a_sum_over_all_purchases(items: list[tuple[int, list[int]]]) -> None:
    table = fold(items)
    now = 250 * DAY
    rates = table.at(now, HALF_LIFE)
    assert table.keys.tolist() == sorted({key for _, keys in items for key in keys})
    for row, key in enumerate(table.keys.tolist()):
        moments = [at for at, keys in items if key in keys]
        assert table.count[row] == len(moments)
        assert (table.first_at[row], table.last_at[row]) == (min(moments), max(moments))
        assert rates[row] == pytest.approx(sum(0.5 ** ((now - at) / (HALF_LIFE * DAY)) for at in moments))


@given(purchases)
def test_packing_and_unpacking_gives_the_same_table(items: list[tuple[int, list[int]]]) -> None:
    table = fold(items)
    again = RateTable.unpack(table.pack())
    for name in RateTable.__slots__:
        assert np.array_equal(getattr(table, name), getattr(again, name))


def test_damaged_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="no whole number of rows"):
        RateTable.unpack(b"12345")


@given(purchases, st.integers(1, 5))
def test_the_table_never_grows_past_its_limit_and_stays_sorted(items: list[tuple[int, list[int]]], limit: int) -> None:
    table = fold(items, limit)
    assert len(table) <= limit
    assert np.all(np.diff(table.keys) > 0)


def test_what_is_worth_least_is_dropped_first() -> None:
    table = fold([(0, [1]), (50 * DAY, [2]), (51 * DAY, [2]), (52 * DAY, [3])], limit=2)
    assert table.keys.tolist() == [2, 3]


@given(purchases, st.lists(st.integers(0, 10), unique=True))
def test_finding_keys_tells_known_from_unknown(items: list[tuple[int, list[int]]], wanted: list[int]) -> None:
    table = fold(items)
    row, known = table.find(np.array(wanted, dtype=np.int64))
    assert known.tolist() == [key in table.keys for key in wanted]
    assert all(table.keys[row[i]] == wanted[i] for i in np.flatnonzero(known))
