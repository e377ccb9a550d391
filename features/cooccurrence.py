"""Which products are bought together: per product its strongest partners, by cosine and by confidence.

`features.pair_counts` counts, and new orders only add to its counts; here counts become weights. Every row is cut to
its strongest `neighbours`. Sources: item-item cosine with shrinkage, Sarwar et al. 2001 (WWW) and Koren 2008 (KDD);
confidence as in association rules, Agrawal et al. 1993 (SIGMOD).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from configs.settings import FeatureSettings
from features.compiled import compiled
from features.history import History
from features.item_vectors import item_vectors
from features.pair_counts import OrderCounts, PairCounts
from features.strongest import Rank, strongest


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

    def sums(
        self,
        products: NDArray[np.int32],
        worth: NDArray[np.float64],
        wanted: NDArray[np.int32],
        slot: NDArray[np.int32],
    ) -> NDArray[np.float64]:
        """Return float64[wanted], the rows of `products` added up, each times its `worth`.

        Args:
            products: int32[n], rows. worth: float64[n]. wanted: int32, the columns that are told.
            slot: int32[all products], scratch of zeros, which it holds again afterwards.
        """
        return _sums(self.start, self.partner, self.weight, products, worth, wanted, slot)


@compiled
def _sums(
    start: NDArray[np.int64],
    partner: NDArray[np.int32],
    weight: NDArray[np.float32],
    products: NDArray[np.int32],
    worth: NDArray[np.float64],
    wanted: NDArray[np.int32],
    slot: NDArray[np.int32],
) -> NDArray[np.float64]:
    # Few of all products are wanted: only their sums are written, and read again.
    total = np.zeros(wanted.size)
    for n in range(wanted.size):
        if slot[wanted[n]] == 0:
            slot[wanted[n]] = n + 1
    for n in range(products.size):
        for pair in range(start[products[n]], start[products[n] + 1]):
            place = slot[partner[pair]]
            if place > 0:
                total[place - 1] += worth[n] * weight[pair]
    for n in range(wanted.size):
        total[n] = total[slot[wanted[n]] - 1]  # of one that is told twice, the first place has the sum
    for row in wanted:
        slot[row] = 0
    return total


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
        confidence = self.confidence
        return _given(confidence.start, confidence.partner, confidence.weight, categories, self.share.size)


@compiled
def _given(
    start: NDArray[np.int64],
    partner: NDArray[np.int32],
    weight: NDArray[np.float32],
    categories: NDArray[np.int32],
    size: int,
) -> NDArray[np.float32]:
    total = np.zeros(size)
    for category in categories:
        for pair in range(start[category], start[category + 1]):
            total[partner[pair]] += weight[pair]
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
    """Return the co-occurrence of all products in orders strictly before `as_of` (unix seconds)."""
    return weigh(OrderCounts.none(history.catalogue).update(history.before(as_of)), features)


def cooccurrences(history: History, moments: Sequence[int], features: FeatureSettings) -> Iterator[Cooccurrence]:
    """Yield `cooccurrence` at each of the ascending `moments`, counting every order once for all of them.

    The counts are held until the last one is yielded and asked to go on.

    Raises:
        ValueError: the moments do not ascend.
    """
    counts = OrderCounts.none(history.catalogue)
    for since, moment in pairwise([-math.inf, *moments]):
        if moment < since:
            raise ValueError(f"Found the moment {moment} after {since}, expected ascending moments.")
        counts = counts.update(history.before(moment).since(since))
        yield weigh(counts, features)


def weigh(counts: OrderCounts, features: FeatureSettings) -> Cooccurrence:
    """Return what is bought together according to counts.

    cosine(i, j) = c_ij / (sqrt(n_i n_j) + shrinkage); confidence(i → j) = c_ij / (n_i + shrinkage), where c_ij
    counts orders with both and n_i orders with i.
    """
    products = counts.products
    cosine = _cosine(products, features.cosine_shrinkage, features.neighbours)
    links = sp.csr_matrix((cosine.weight, cosine.partner, cosine.start), shape=products.together.shape)
    leaf = counts.catalogue.levels.leaf
    return Cooccurrence(
        cosine,
        _confidence(products, features.confidence_shrinkage, features.neighbours),
        _categories(counts.leaf, features),
        _categories(counts.parent, features),
        item_vectors(links, products.single, leaf, features.vector_dimensions, features.vector_prior_orders),
    )


def _cosine(counts: PairCounts, shrinkage: float, limit: int) -> Neighbours:
    n = counts.single

    def cosine(row: NDArray[np.int32], partner: NDArray[np.int32], together: NDArray[np.int32]) -> NDArray[np.float64]:
        weight: NDArray[np.float64] = together / (np.sqrt(n[row] * n[partner]) + shrinkage)
        return weight

    return _neighbours(counts, cosine, cosine, limit)


def _confidence(counts: PairCounts, shrinkage: float, limit: int) -> Neighbours:
    n, items = counts.single, counts.together.shape[0]

    def rank(_: NDArray[np.int32], partner: NDArray[np.int32], together: NDArray[np.int32]) -> NDArray[np.float64]:
        # Within a row confidence grows with the count. Partners of equal count get ranks of their own, all below the
        # next count's: finding the strongest among very many equals is slow.
        below: NDArray[np.float64] = together - partner / items
        return below

    def confidence(row: NDArray[np.int32], _: NDArray[np.int32], together: NDArray[np.int32]) -> NDArray[np.float64]:
        weight: NDArray[np.float64] = together / (n[row] + shrinkage)
        return weight

    return _neighbours(counts, rank, confidence, limit)


def _neighbours(counts: PairCounts, rank: Rank, weight: Rank, limit: int) -> Neighbours:
    start, entry = strongest(counts.together, rank, limit)
    row = np.repeat(np.arange(start.size - 1, dtype=np.int32), np.diff(start))
    partner = counts.together.indices[entry].astype(np.int32)
    return Neighbours(start, partner, weight(row, partner, counts.together.data[entry]).astype(np.float32))


def _categories(counts: PairCounts, features: FeatureSettings) -> CategoryCooccurrence:
    confidence = _confidence(counts, features.category_shrinkage, features.category_neighbours)
    return CategoryCooccurrence(confidence, (counts.single / max(1, counts.orders)).astype(np.float32))
