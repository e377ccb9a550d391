"""Which products are bought together: per product its strongest partners, by cosine and by confidence.

Baskets are a sparse 0/1 matrix; its product with its own transpose counts pairs. Rows are made in blocks and cut to
the strongest `neighbours` at once, so memory stays bounded by one block. Sources: item-item cosine with shrinkage,
Sarwar et al. 2001 (WWW) and Koren 2008 (KDD); confidence as in association rules, Agrawal et al. 1993 (SIGMOD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from configs.settings import FeatureSettings
from features.history import History

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
class Cooccurrence:
    """Partners by shrunk cosine and by shrunk confidence."""

    cosine: Neighbours
    confidence: Neighbours


def cooccurrence(history: History, as_of: int, features: FeatureSettings) -> Cooccurrence:
    """Return the co-occurrence of all products in orders strictly before `as_of` (unix seconds).

    cosine(i, j) = c_ij / (sqrt(n_i n_j) + shrinkage); confidence(i → j) = c_ij / (n_i + shrinkage), where c_ij
    counts orders with both and n_i orders with i.
    """
    known = history.before(as_of)
    size = len(known.catalogue)
    ones = np.ones(known.product.size, dtype=np.float32)
    baskets = sp.csr_matrix((ones, known.product, known.start), shape=(len(known), size))
    by_product = baskets.T.tocsr()
    n = np.asarray(baskets.sum(axis=0)).ravel()
    cosine, confidence = _RowBuilder(size), _RowBuilder(size)
    for first in range(0, size, BLOCK):
        pairs = (by_product[first : first + BLOCK] @ baskets).tocsr()
        row = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr)) + first
        other = pairs.indices != row
        row, partner, together = row[other], pairs.indices[other], pairs.data[other]
        scale = np.sqrt(n[row] * n[partner]) + features.cosine_shrinkage
        cosine.add(row, partner, together / scale, features.neighbours)
        confidence.add(row, partner, together / (n[row] + features.confidence_shrinkage), features.neighbours)
    return Cooccurrence(cosine.build(), confidence.build())


class _RowBuilder:
    """Collects the strongest entries of ascending rows."""

    def __init__(self, rows: int) -> None:
        self._count = np.zeros(rows, dtype=np.int64)
        self._partner: list[NDArray[np.int32]] = []
        self._weight: list[NDArray[np.float32]] = []

    def add(self, row: NDArray[np.int64], partner: NDArray[np.int32], weight: NDArray[np.float32], limit: int) -> None:
        """Add whole rows, keeping of each the `limit` heaviest entries (ties: lower partner first)."""
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
