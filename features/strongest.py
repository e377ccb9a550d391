"""The strongest entries of each row of a large sparse matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

ROWS, ENTRIES = 1_000, 1_000_000
"""Of the matrix at a time, so that memory stays bounded; a longer row comes alone."""

Rank = Callable[[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]], NDArray[np.float64]]
"""(row, column, value) of entries → how strong they are, finite."""


def strongest(matrix: sp.csr_matrix, rank: Rank, limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (start, entry): entry[start[i]:start[i + 1]] are the places in `matrix.data` of row i's strongest entries.

    At most `limit` a row, the strongest first, of equals the lower column; never the diagonal.

    Args:
        matrix: its columns ascend within a row.
        rank: asked of whole rows, a block at a time.
        limit: at least 1.
    """
    entries, lengths = [], []
    for first, last in _blocks(matrix.indptr):
        start = matrix.indptr[first : last + 1].astype(np.int64)
        block = slice(start[0], start[-1])
        row = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(start))
        column = matrix.indices[block]
        strength = np.where(row == column, -np.inf, rank(row, column, matrix.data[block]))
        kept, length = _cut(strength, start - start[0], limit)
        entries.append(start[0] + kept[_descending(strength[kept], length)])
        lengths.append(length)
    return np.concatenate([[0], np.cumsum(np.concatenate(lengths))]), np.concatenate(entries)


def _blocks(indptr: NDArray[np.integer]) -> Iterator[tuple[int, int]]:
    """Yield (first row, row after the last) of consecutive blocks."""
    first, rows = 0, indptr.size - 1
    while first < rows:
        fits = int(np.searchsorted(indptr, indptr[first] + ENTRIES, side="right")) - 1
        last = max(first + 1, min(fits, first + ROWS, rows))
        yield first, last
        first = last


def _cut(
    strength: NDArray[np.float64], start: NDArray[np.int64], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ascending places of each row's `limit` strongest finite entries, and how many they are in each row.

    Only what lies above a row's border, its `limit`-th strength, has to be sorted: most entries of long rows do not.
    """
    length = np.diff(start)
    border = np.full(length.size, -np.inf)
    for long in np.flatnonzero(length > limit).tolist():
        of_row = strength[start[long] : start[long + 1]]
        border[long] = np.partition(of_row, of_row.size - limit)[of_row.size - limit]
    row = np.repeat(np.arange(length.size, dtype=np.int32), length)
    of_entry = border[row]
    kept = strength > of_entry
    room = limit - np.bincount(row[kept], minlength=length.size)
    at_border = np.flatnonzero((strength == of_entry) & np.isfinite(strength))
    kept[at_border[_number_in_row(row[at_border]) < room[row[at_border]]]] = True
    return np.flatnonzero(kept), np.bincount(row[kept], minlength=length.size)


def _number_in_row(row: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return each entry's number within its row, from 0; rows ascend."""
    first = np.flatnonzero(np.diff(row, prepend=-1))
    return np.arange(row.size) - np.repeat(first, np.diff(np.append(first, row.size)))


def _descending(strength: NDArray[np.float64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order that sorts each row by falling strength, equals staying as they were."""
    filled = np.arange(length.max(initial=0)) < length[:, None]
    table = np.full(filled.shape, np.inf)
    table[filled] = -strength
    order = np.argsort(table, axis=1, kind="stable") + (np.cumsum(length) - length)[:, None]
    return order[filled]
