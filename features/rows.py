"""Which row a product id has, without a dictionary of all of them: a million entries take a hundred megabytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.keys import stable_key, stable_keys
from features.lookup import KeyIndex


class RowOf(Mapping[str, int]):
    """The row of each product id, found by its key; an unknown id whose key is a product's is unknown all the same.

    Args:
        ids: of all products, in order of their rows. index: of their keys.
    """

    def __init__(self, ids: Sequence[str], index: KeyIndex) -> None:
        self._ids, self._index = ids, index

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __getitem__(self, product: str) -> int:
        row = self._index.find_one(stable_key(product))
        if row < 0 or self._ids[row] != product:
            raise KeyError(product)
        return row

    def known(self, products: Sequence[str]) -> NDArray[np.int32]:
        """Return the rows of those that are known, int32, in their order."""
        rows = self._index.find(stable_keys(products))
        same = [row >= 0 and self._ids[row] == product for row, product in zip(rows.tolist(), products, strict=True)]
        known: NDArray[np.int32] = rows[np.array(same, dtype=bool)]
        return known
