"""Which products are bought together: per product its strongest partners, by cosine and by confidence.

Baskets are a sparse 0/1 matrix; its product with its own transpose counts pairs. Rows are made in blocks and cut to
the strongest `neighbours` at once, so memory stays bounded by one block. Sources: item-item cosine with shrinkage,
Sarwar et al. 2001 (WWW) and Koren 2008 (KDD); confidence as in association rules, Agrawal et al. 1993 (SIGMOD).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from configs.settings import FeatureSettings
from features.history import History
from features.item_vectors import item_vectors

BLOCK = 2_000


@dataclass(frozen=True)
class Neighbours:
    """A sparse product × product matrix in CSR form; row i holds the strongest partners of product i.

    Attributes:
        start: int64[products + 1]. partner: int32[pairs]. weight: float32[pairs].
    """

    start: NDArray[np.int64]
    partner: NDArray[np.int32]
    weight: NDArray[np.float32]

    def rows(self, products: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
        """Return the concatenated rows of `products`: (partner, weight, position in `products` it came from)."""
        start = self.start[products]
        length = self.start[products + 1] - start
        origin = np.repeat(np.arange(products.size, dtype=np.int32), length)
        ends = np.cumsum(length)
        place = np.arange(ends[-1] if products.size else 0) - np.repeat(ends - length, length)
        place += np.repeat(start, length)
        return self.partner[place], self.weight[place], origin


@dataclass(frozen=True)
class CategoryCooccurrence:
    """Which categories are bought together, at one level of the category tree.

    Attributes:
        confidence: row i holds the categories that orders with category i also hold, by shrunk confidence.
        share: float32[categories], share of orders that hold the category.
    """

    confidence: Neighbours
    share: NDArray[np.float32]

    def given(self, categories: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32[all categories], each one's mean confidence given `categories` (distinct codes)."""
        partner, weight, _ = self.confidence.rows(categories)
        total = np.bincount(partner, weights=weight, minlength=self.share.size)
        return (total / max(1, categories.size)).astype(np.float32)


@dataclass(frozen=True)
class Cooccurrence:
    """What is bought together.

    Attributes:
        cosine, confidence: partners of products by shrunk cosine and by shrunk confidence.
        leaf, parent: partners of categories by confidence.
        vectors: float32[products, dimensions], item vectors, see `features.item_vectors`.
    """

    cosine: Neighbours
    confidence: Neighbours
    leaf: CategoryCooccurrence
    parent: CategoryCooccurrence
    vectors: NDArray[np.float32]


def cooccurrence(history: History, as_of: int, features: FeatureSettings) -> Cooccurrence:
    """Return the co-occurrence of all products in orders strictly before `as_of` (unix seconds).

    cosine(i, j) = c_ij / (sqrt(n_i n_j) + shrinkage); confidence(i → j) = c_ij / (n_i + shrinkage), where c_ij
    counts orders with both and n_i orders with i.
    """
    known = history.before(as_of)
    size = len(known.catalogue)
    n = np.bincount(known.product, minlength=size)
    cosine, confidence = _RowBuilder(size), _RowBuilder(size)
    for row, partner, together in _pairs(_baskets(known, known.product, size)):
        scale = np.sqrt(n[row] * n[partner]) + features.cosine_shrinkage
        cosine.add(row, partner, together / scale, features.neighbours)
        confidence.add(row, partner, together / (n[row] + features.confidence_shrinkage), features.neighbours)
    levels = known.catalogue.levels
    leaf, parent = (_categories(known, level, features) for level in (levels.leaf, levels.parent))
    by_cosine = cosine.build()
    links = sp.csr_matrix((by_cosine.weight, by_cosine.partner, by_cosine.start), shape=(size, size))
    vectors = item_vectors(links, n, levels.leaf, features.vector_dimensions, features.vector_prior_orders)
    return Cooccurrence(by_cosine, confidence.build(), leaf, parent, vectors)


def _categories(known: History, code: NDArray[np.int32], features: FeatureSettings) -> CategoryCooccurrence:
    size = int(code.max()) + 1
    baskets = _baskets(known, code[known.product], size)
    n: NDArray[np.float32] = np.asarray(baskets.sum(axis=0)).ravel()
    confidence = _RowBuilder(size)
    for row, partner, together in _pairs(baskets):
        weight = together / (n[row] + np.float32(features.category_shrinkage))
        confidence.add(row, partner, weight, features.category_neighbours)
    return CategoryCooccurrence(confidence.build(), (n / max(1, len(known))).astype(np.float32))


def _baskets(known: History, item: NDArray[np.int32], size: int) -> sp.csr_matrix:
    """Return the orders × items matrix of zeros and ones; `item` has one entry a line."""
    ones = np.ones(item.size, dtype=np.float32)
    baskets = sp.csr_matrix((ones, item, known.start), shape=(len(known), size))
    baskets.sum_duplicates()
    baskets.data[:] = 1.0
    return baskets


def _pairs(baskets: sp.csr_matrix) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]]:
    """Yield (item, other item, orders with both) of whole ascending rows, block by block."""
    by_item = baskets.T.tocsr()
    for first in range(0, baskets.shape[1], BLOCK):
        pairs = (by_item[first : first + BLOCK] @ baskets).tocsr()
        row = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr)) + first
        other = pairs.indices != row
        yield row[other], pairs.indices[other], pairs.data[other]


def _at_or_above_border(row: NDArray[np.int64], weight: NDArray[np.floating], limit: int) -> NDArray[np.bool_]:
    """Return which entries weigh at least as much as their row's `limit`-th: sorting the rest would be for nothing."""
    strong = np.ones(row.size, dtype=bool)
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    ends = np.append(starts[1:], row.size)
    long = ends - starts > limit
    for start, end in zip(starts[long].tolist(), ends[long].tolist(), strict=True):
        of_row = weight[start:end]
        strong[start:end] = of_row >= np.partition(of_row, of_row.size - limit)[of_row.size - limit]
    return strong


class _RowBuilder:
    """Collects the strongest entries of ascending rows."""

    def __init__(self, rows: int) -> None:
        self._count = np.zeros(rows, dtype=np.int64)
        self._partner: list[NDArray[np.int32]] = []
        self._weight: list[NDArray[np.float32]] = []

    def add(self, row: NDArray[np.int64], partner: NDArray[np.int32], weight: NDArray[np.float32], limit: int) -> None:
        """Add whole rows, keeping of each the `limit` heaviest entries (ties: lower partner first)."""
        strong = _at_or_above_border(row, weight, limit)
        row, partner, weight = row[strong], partner[strong], weight[strong]
        order = np.lexsort((partner, -weight, row))
        row, partner, weight = row[order], partner[order], weight[order]
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        rank = np.arange(row.size) - np.repeat(starts, np.diff(np.append(starts, row.size)))
        keep = rank < limit
        np.add.at(self._count, row[keep], 1)
        self._partner.append(partner[keep].astype(np.int32))
        self._weight.append(weight[keep].astype(np.float32))

    def build(self) -> Neighbours:
        """Return the collected rows."""
        start = np.concatenate([[0], np.cumsum(self._count)]).astype(np.int64)
        return Neighbours(start, np.concatenate(self._partner), np.concatenate(self._weight))
