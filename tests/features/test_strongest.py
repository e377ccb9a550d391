"""The strongest entries of each row against sorting whole rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from features import strongest as module
from features.strongest import strongest

tables = st.integers(1, 9).flatmap(lambda size: arrays(np.int32, (size, size), elements=st.integers(0, 4)))


def value(_: NDArray[np.int32], column: NDArray[np.int32], values: NDArray[np.int32]) -> NDArray[np.float64]:
    return values.astype(np.float64)


@pytest.mark.parametrize("block", [1, 7, 1_000_000])
@given(table=tables, limit=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_each_row_holds_its_strongest_of_equals_the_lower_column(
    block: int, table: NDArray[np.int32], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ENTRIES", block)
        matrix = sp.csr_matrix(table)
        start, entry = strongest(matrix, value, limit)
    for row, of_row in enumerate(table.tolist()):
        found = matrix.indices[entry[start[row] : start[row + 1]]].tolist()
        others = [column for column, strength in enumerate(of_row) if strength and column != row]
        assert found == sorted(others, key=lambda column: (-of_row[column], column))[:limit]


def test_blocks_cover_all_rows_and_hold_many_entries_only_for_a_long_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES", 5)
    seen: list[list[int]] = []

    def rank(row: NDArray[np.int32], column: NDArray[np.int32], values: NDArray[np.int32]) -> NDArray[np.float64]:
        seen.append(sorted(set(row.tolist())))
        return value(row, column, values)

    strongest(sp.csr_matrix(np.tri(8, dtype=np.int32)), rank, 3)  # rows of 1 … 8 entries
    assert seen == [[0, 1], [2], [3], [4], [5], [6], [7]]
