"""A linear autoencoder over orders with a closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from configs.errors import DataError
from features.context import Context, ProductMatrix
from features.history import History
from training.baselines.base import Baseline, Ranked, best_of, known_orders
from training.baselines.sparse import baskets, order_counts


@dataclass(frozen=True)
class Ease(Baseline):
    """Weights B with zero diagonal that minimise |X − XB|² + regularization × |B|², X being orders × products.

    The inverse is dense, so only the products that sell best take part: those in at least N orders, N being the
    smallest count that leaves no more than `most_products`. On the Complete Journey year that is about 5,000 products
    of 63,000 sold; 0.6 GB at the peak. The others never come first, they only fill up.

    Source: EASE^R, Steck 2019 (WWW).

    Attributes:
        rows: int32[n], ascending catalogue rows that take part.
        weights: float32[n, n], from the cart's product to the candidate.
    """

    name: ClassVar[str] = "ease"
    most_products: ClassVar[int] = 5_000
    regularization: ClassVar[float] = 200.0
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker with the weights of the orders before `as_of`."""
        known = known_orders(history, matrix, as_of)
        counts = order_counts(known)
        rows = np.flatnonzero(counts >= fewest_orders(counts, cls.most_products)).astype(np.int32)
        return cls(rows, ease_weights(baskets(known)[:, rows], cls.regularization))

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that the cart predicts most; without a cart product that takes part, the popular."""
        place = np.flatnonzero(np.isin(self.rows, context.cart))
        if not place.size:
            return best_of(context, self.rows[:0], np.empty(0), k)
        return best_of(context, self.rows, self.weights[place].sum(axis=0, dtype=np.float64), k)


def fewest_orders(counts: NDArray[np.float64], most_products: int) -> float:
    """Return the smallest order count, at least 1, that no more than `most_products` products reach."""
    if counts.size <= most_products:
        return 1.0
    # The best-selling product that has to stay out: everything must have sold more often than it.
    return float(np.partition(counts, counts.size - most_products - 1)[counts.size - most_products - 1]) + 1.0


def ease_weights(held: sp.csr_matrix, regularization: float) -> NDArray[np.float32]:
    """Return float32[n, n]: with P = (XᵀX + regularization × I)⁻¹, the weights −P_ij / P_jj and a diagonal of 0.

    Args:
        held: 0/1 CSR[orders, n]. regularization: above 0.

    Raises:
        DataError: the matrix is not positive definite, which needs a regularization of 0 or below.
    """
    from scipy.linalg.lapack import dpotrf, dpotri

    if not held.shape[1]:
        return np.empty((0, 0), dtype=np.float32)
    gram = np.asfortranarray((held.T @ held).toarray(), dtype=np.float64)
    gram[np.diag_indices_from(gram)] += regularization
    factor, failed = dpotrf(gram, lower=True, overwrite_a=True)
    if failed:
        raise DataError(f"EASE's matrix cannot be inverted with regularization {regularization}: use one above 0.")
    inverse, _ = dpotri(factor, lower=True, overwrite_c=True)  # the lower triangle; the upper one follows
    diagonal = inverse.diagonal().copy()
    weights: NDArray[np.float32] = np.tril(inverse, -1).astype(np.float32)
    weights += weights.T
    weights /= -diagonal.astype(np.float32)
    return weights
