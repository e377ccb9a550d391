"""Many keys are found at once, however they are spread."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.lookup import KeyIndex, distinct

SMALLEST, LARGEST = -(2**63), 2**63 - 1
ANY = st.integers(SMALLEST, LARGEST)
CLOSE = st.integers(-50, 50)


@given(st.lists(ANY | CLOSE, unique=True, max_size=80), st.lists(ANY | CLOSE, max_size=40))
@settings(max_examples=300, deadline=None)
def test_every_key_is_found_where_it_lies_and_no_other(keys: list[int], others: list[int]) -> None:
    place = {key: number for number, key in enumerate(keys)}
    wanted = keys + others
    found = KeyIndex.of(np.array(keys, dtype=np.int64)).find(np.array(wanted, dtype=np.int64))
    assert found.dtype == np.int32
    assert found.tolist() == [place.get(key, -1) for key in wanted]


def test_keys_in_one_heap_are_found_too() -> None:
    heap = np.arange(1_000, 2_000, dtype=np.int64)
    index = KeyIndex.of(np.append(heap, [SMALLEST, LARGEST]))
    assert index.find(heap).tolist() == list(range(heap.size))
    assert index.find(np.array([SMALLEST, LARGEST, 999, 1_000 + heap.size])).tolist() == [
        heap.size,
        heap.size + 1,
        -1,
        -1,
    ]


@given(st.lists(st.integers(-5, 5)))
def test_distinct_values_ascend_and_come_once(values: list[int]) -> None:
    assert distinct(np.array(values, dtype=np.int64)).tolist() == sorted(set(values))
