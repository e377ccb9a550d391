"""Which row a product id has, without a dictionary of all of them: a million entries take a hundred megabytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.keys import stable_key
from features.lately import Lately
from features.lookup import KeyIndex

MOST = 16_384
"""Ids that are remembered with their rows: to find one takes microseconds, and carts hold much the same products."""


class RowOf(Mapping[str, int]):
    """The row of each product id, found by its key; an unknown id whose key is a product's is unknown all the same.

    Args:
        ids: of all products, in order of their rows. index: of their keys.
    """

    def __init__(self, ids: Sequence[str], index: KeyIndex) -> None:
        self._ids = ids
        self._lately = Lately(partial(_found, ids, index), MOST)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __getitem__(self, product: str) -> int:
        return self._lately[product]

    def known(self, products: Iterable[str]) -> NDArray[np.int32]:
        """Return the rows of those that are known, int32, in their order."""
        rows = (self.get(product) for product in products)
        return np.array([row for row in rows if row is not None], dtype=np.int32)


def _found(ids: Sequence[str], index: KeyIndex, product: str) -> int:
    row = index.find_one(stable_key(product))
    if row < 0 or ids[row] != product:
        raise KeyError(product)
    return row
