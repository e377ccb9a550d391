"""Products bought together more than chance has it: pair counts, scaled down by how often each product sells."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.context import Context, ProductMatrix
from features.history import History
from training.baselines.base import Baseline, Ranked, best_positive, known_orders
from training.baselines.sparse import add_rows, entry_rows, order_counts, pair_counts


@dataclass(frozen=True)
class ItemItem(Baseline):
    """Sums, over the cart, a weight of each pair; all pairs of the whole catalogue are kept.

    Attributes:
        weights: float32 CSR[products, products].
    """

    weights: sp.csr_matrix

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker with the pairs before `as_of`."""
        known = known_orders(history, matrix, as_of)
        pairs, orders = pair_counts(known), order_counts(known).astype(np.float32)
        expected = orders[entry_rows(pairs)] * orders[pairs.indices]
        pairs.data /= cls.scale(expected, matrix)
        return cls(pairs)

    @classmethod
    @abstractmethod
    def scale(cls, product: NDArray[np.float32], matrix: ProductMatrix) -> NDArray[np.float32]:
        """Return what each pair's count is divided by, given the product n_i n_j of both order counts."""

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products with the highest summed weight."""
        return best_positive(context, add_rows(self.weights, context.cart), k)


class ItemItemCosine(ItemItem):
    """c_ij / (sqrt(n_i n_j) + shrinkage), summed over the cart.

    Source: Sarwar et al. 2001 (WWW), with the shrinkage of Koren 2008 (KDD).
    """

    name: ClassVar[str] = "item_item_cosine"

    @classmethod
    def scale(cls, product: NDArray[np.float32], matrix: ProductMatrix) -> NDArray[np.float32]:
        """Return sqrt(n_i n_j) + shrinkage."""
        return np.sqrt(product) + np.float32(matrix.features.cosine_shrinkage)


class Lift(ItemItem):
    """c_ij / ((n_i n_j)^0.7 + shrinkage), summed over the cart: between cosine (0.5) and lift (1).

    Lift itself ranks pairs that met once by chance above everything; the exponent keeps rare products ahead of popular
    ones, which is why it finds products that are new to a shopper. Source: lift as in Brin et al. 1997 (SIGMOD), the
    softened exponent as in item-to-item ranking by Deshpande & Karypis 2004 (TOIS).
    """

    name: ClassVar[str] = "lift"
    exponent: ClassVar[float] = 0.7
    shrinkage: ClassVar[float] = 300.0

    @classmethod
    def scale(cls, product: NDArray[np.float32], matrix: ProductMatrix) -> NDArray[np.float32]:
        """Return (n_i n_j)^exponent + shrinkage."""
        return np.power(product, np.float32(cls.exponent)) + np.float32(cls.shrinkage)
