"""What every baseline promises, and the one place that turns scores into a list that may be shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from configs.errors import DataError
from features.context import Context, ProductMatrix
from features.history import History
from features.top import top_rows
from training.candidates import eligible

Ranked = tuple[NDArray[np.int32], NDArray[np.float64]]
"""(product rows, scores), best first."""


class Baseline(ABC):
    """A way to rank that is fitted on orders before a moment and then answers requests without I/O.

    Attributes:
        name: snake_case, as reports print it.
    """

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the baseline as it would have been at `as_of`.

        Args:
            history: all orders; those at or after `as_of` are not looked at. None before it is fine.
            matrix: the product side as of the same moment, over the same catalogue.
            as_of: unix seconds.

        Raises:
            DataError: `matrix` and `history` have different catalogues.
        """

    @abstractmethod
    def rank(self, context: Context, k: int) -> Ranked:
        """Return the best k products: (int32 rows of the catalogue, float64 scores), best first.

        Never a product of the cart nor one out of stock. Products that the method has no opinion about follow by
        popularity, scored 0 or as the last one before them if that is lower, so fewer than k come back only if no
        more may be recommended.
        """


def known_orders(history: History, matrix: ProductMatrix, as_of: int) -> History:
    """Return the orders that a fit at `as_of` (unix seconds) may use.

    Raises:
        DataError: `matrix` and `history` have different catalogues.
    """
    if history.catalogue is not matrix.catalogue and not np.array_equal(history.catalogue.keys, matrix.catalogue.keys):
        raise DataError(
            f"The history has {len(history.catalogue):,} products and the product matrix {len(matrix.catalogue):,}, or "
            "others: their rows mean different products. Build the matrix from the same history."
        )
    return history.before(as_of)


def best_of(context: Context, rows: NDArray[np.int32], scores: NDArray[np.float64], k: int) -> Ranked:
    """Return the k best eligible rows, filled up by popularity.

    Args:
        rows: int32[n], distinct product rows, any order; ties go to the earlier.
        scores: float64[n], finite.
    """
    allowed = eligible(context, rows)
    rows, scores = rows[allowed], scores[allowed]
    best = top_rows(scores, k)
    rows, scores = rows[best], scores[best]
    if rows.size < k:
        more, _ = by_popularity(context, k + rows.size)
        more = more[~np.isin(more, rows)][: k - rows.size]
        lowest = min(0.0, float(scores[-1])) if scores.size else 0.0
        rows, scores = np.concatenate([rows, more]), np.concatenate([scores, np.full(more.size, lowest)])
    return rows, scores


def best_positive(context: Context, scores: NDArray[np.float64], k: int) -> Ranked:
    """Return the k best eligible of the products with a score above 0, filled up by popularity.

    Args:
        scores: float64[products], one a row of the catalogue.
    """
    wanted = (scores > 0) & context.products.catalogue.in_stock
    wanted[context.cart] = False
    rows = np.flatnonzero(wanted).astype(np.int32)
    rows = rows[top_rows(scores[rows], k)]
    return best_of(context, rows, scores[rows], k)


def by_popularity(context: Context, k: int) -> Ranked:
    """Return the k most popular eligible products, scored by decayed popularity; fewer if there are no more."""
    rows, step = context.products.by_popularity, k + context.cart.size
    best = np.empty(0, dtype=np.int32)
    for start in range(0, rows.size, step):  # one round, unless many of the most popular are out of stock
        chunk = rows[start : start + step]
        best = np.concatenate([best, chunk[eligible(context, chunk)]])[:k]
        if best.size == k:
            break
    return best, context.products.stats.popularity[best].astype(np.float64)
