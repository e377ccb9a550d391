"""Which row a product id has, without a dictionary of all of them: a million entries take a hundred megabytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.keys import stable_key
from features.lookup import KeyIndex

MOST = 16_384
"""Ids that are remembered with their rows: to find one takes microseconds, and carts hold much the same products."""


class RowOf(Mapping[str, int]):
    """The row of each product id, found by its key; an unknown id whose key is a product's is unknown all the same.

    Args:
        ids: of all products, in order of their rows. index: of their keys.
    """

    def __init__(self, ids: Sequence[str], index: KeyIndex) -> None:
        self._ids, self._index = ids, index
        self._lately: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __getitem__(self, product: str) -> int:
        row = self._lately.get(product)
        if row is None:
            row = self._found(product)
            if len(self._lately) >= MOST:
                self._lately.clear()
            self._lately[product] = row
        return row

    def known(self, products: Iterable[str]) -> NDArray[np.int32]:
        """Return the rows of those that are known, int32, in their order."""
        rows = (self.get(product) for product in products)
        return np.array([row for row in rows if row is not None], dtype=np.int32)

    def _found(self, product: str) -> int:
        row = self._index.find_one(stable_key(product))
        if row < 0 or self._ids[row] != product:
            raise KeyError(product)
        return row
