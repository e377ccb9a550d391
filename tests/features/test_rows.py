"""Rows of product ids, against a dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.keys import stable_keys
from features.lookup import KeyIndex
from features.rows import RowOf

IDS = st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=40)


def rows_of(ids: list[str]) -> RowOf:
    return RowOf(ids, KeyIndex.of(stable_keys(ids)))


@given(IDS, st.lists(st.text(max_size=5), max_size=10))
def test_it_says_what_a_dictionary_says(ids: list[str], others: list[str]) -> None:
    row_of, expected = rows_of(ids), {product: row for row, product in enumerate(ids)}
    assert dict(row_of) == expected
    asked = [*others, *ids]
    assert [row_of.get(product) for product in asked] == [expected.get(product) for product in asked]
    assert row_of.known(asked).tolist() == [expected[product] for product in asked if product in expected]


def test_another_id_with_the_key_of_a_product_is_unknown() -> None:
    disguised = RowOf(["a"], KeyIndex.of(stable_keys(["b"])))
    assert "b" not in disguised
    assert disguised.known(["b"]).size == 0


def test_an_unknown_id_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        rows_of(["a", "b"])["nothing"]
    assert rows_of([]).known(["a"]).dtype == np.int32
