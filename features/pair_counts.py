"""How many orders hold an item, and how many hold both of two: counts to which new orders are only added.

Orders are a sparse 0/1 matrix of orders × items; its transpose times itself counts pairs, and the counts of two sets of
orders are the sum of both. So after a day's orders only their own pairs are counted. Integers make every order of
updates give the same counts, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from configs.errors import DataError
from features.history import Catalogue, History
from features.lookup import locate


@dataclass(frozen=True)
class PairCounts:
    """Counts over all orders so far, of one kind of item.

    Attributes:
        orders: number of orders.
        together: CSR int32[items, items], symmetric, columns of a row ascending: orders that hold both items; on the
            diagonal those that hold the item at all.
    """

    orders: int
    together: sp.csr_matrix

    @classmethod
    def none(cls, items: int) -> PairCounts:
        """Return the counts of no orders."""
        return cls(0, sp.csr_matrix((items, items), dtype=np.int32))

    @property
    def single(self) -> NDArray[np.int64]:
        """int64[items], orders with each item."""
        diagonal: NDArray[np.int64] = self.together.diagonal().astype(np.int64)
        return diagonal

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the counts take."""
        return int(self.together.data.nbytes + self.together.indices.nbytes + self.together.indptr.nbytes)

    def update(self, item: NDArray[np.int32], start: NDArray[np.int64]) -> PairCounts:
        """Return the counts with new orders added.

        Args:
            item: int32[lines]; an item that an order holds twice counts once.
            start: int64[new orders + 1], lines of order i are start[i]:start[i + 1].
        """
        orders = start.size - 1
        if not orders:
            return self
        pairs = _pairs(_baskets(item, start, self.together.shape[0]))
        return PairCounts(self.orders + orders, self.together + pairs if self.orders else pairs)

    def renumbered(self, place: NDArray[np.integer[Any]], items: int) -> PairCounts:
        """Return the same counts where item i has the number place[i] of `items`; places are distinct."""
        moved = self.together[np.argsort(place)]
        lengths = np.zeros(items, dtype=np.int64)
        lengths[place] = np.diff(self.together.indptr)
        start = np.concatenate([[0], np.cumsum(lengths)])
        together = sp.csr_matrix((moved.data, place[moved.indices], start), shape=(items, items))
        together.sort_indices()
        return PairCounts(self.orders, together)


@dataclass(frozen=True)
class OrderCounts:
    """Pair counts of products, of leaf categories and of their parents, over the same orders.

    Attributes:
        catalogue: whose rows and category codes the counts are numbered by.
    """

    catalogue: Catalogue
    products: PairCounts
    leaf: PairCounts
    parent: PairCounts

    @classmethod
    def none(cls, catalogue: Catalogue) -> OrderCounts:
        """Return the counts of no orders."""
        levels = catalogue.levels
        sizes = len(catalogue), int(levels.leaf.max()) + 1, int(levels.parent.max()) + 1
        return cls(catalogue, *map(PairCounts.none, sizes))

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the counts take."""
        return self.products.nbytes + self.leaf.nbytes + self.parent.nbytes

    def update(self, new: History) -> OrderCounts:
        """Return the counts with the orders of `new` added; its catalogue may hold more products than this one.

        Raises:
            DataError: `new` knows the products counted so far no more, or in other categories.
        """
        known = self._in(new.catalogue)
        levels = new.catalogue.levels
        return OrderCounts(
            new.catalogue,
            known.products.update(new.product, new.start),
            known.leaf.update(levels.leaf[new.product], new.start),
            known.parent.update(levels.parent[new.product], new.start),
        )

    def _in(self, catalogue: Catalogue) -> OrderCounts:
        """Return the same counts, numbered by another catalogue."""
        if catalogue is self.catalogue:
            return self
        by_key = np.argsort(catalogue.keys)
        place, found = locate(catalogue.keys[by_key], self.catalogue.keys)
        if not found.all():
            raise _changed(f"product {self.catalogue.ids[int(np.argmin(found))]!r} is not in the catalogue any more")
        row, was, now = by_key[place], self.catalogue.levels, catalogue.levels
        return OrderCounts(
            catalogue,
            self.products.renumbered(row, len(catalogue)),
            self.leaf.renumbered(_new_code(was.leaf, now.leaf[row]), int(now.leaf.max()) + 1),
            self.parent.renumbered(_new_code(was.parent, now.parent[row]), int(now.parent.max()) + 1),
        )


def _baskets(item: NDArray[np.int32], start: NDArray[np.int64], items: int) -> sp.csr_matrix:
    """Return the orders × items matrix of zeros and ones, int32."""
    baskets = sp.csr_matrix((np.ones(item.size, dtype=np.int32), item, start), shape=(start.size - 1, items))
    baskets.sum_duplicates()
    baskets.data[:] = 1
    return baskets


def _pairs(baskets: sp.csr_matrix) -> sp.csr_matrix:
    """Return the items × items counts of orders with both, columns ascending."""
    pairs = baskets.T.tocsr() @ baskets
    return pairs.T.tocsr()  # it is its own transpose, and transposing leaves columns sorted sooner than sorting does


def _new_code(was: NDArray[np.int32], now: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return int32[old codes], each category's new code, from the old and the new code of each product."""
    code = np.zeros(int(was.max()) + 1, dtype=np.int32)
    code[was] = now
    if np.unique(code).size < code.size or not np.array_equal(code[was], now):
        raise _changed("products moved to other categories")
    return code


def _changed(what: str) -> DataError:
    return DataError(f"New orders cannot be added to the pair counts, because {what}: count all orders afresh.")
