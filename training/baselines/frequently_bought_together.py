"""Products most often bought together with the cart's: the classic block below a cart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.context import Context, ProductMatrix
from features.history import History
from training.baselines.base import Baseline, Ranked, best_of, best_positive, known_orders
from training.baselines.sparse import add_rows, pair_counts


class FrequentlyBoughtTogether(Baseline):
    """Confidence of the rules cart product → product, shrunk, summed over the cart.

    Source: association rules, Agrawal et al. 1993 (SIGMOD); see `features.cooccurrence` for the shrinkage.
    """

    name: ClassVar[str] = "frequently_bought_together"

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker; the product matrix holds the confidences."""
        known_orders(history, matrix, as_of)
        return cls()

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that the cart implies most."""
        return by_confidence(context, k)


@dataclass(frozen=True)
class FrequentlyBoughtTogetherCount(Baseline):
    """Orders that held a cart product and the candidate, summed over the cart: what shops without statistics show.

    Attributes:
        pairs: float32 CSR[products, products], orders with both.
    """

    name: ClassVar[str] = "fbt_count"
    pairs: sp.csr_matrix

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker with the pairs before `as_of`."""
        return cls(pair_counts(known_orders(history, matrix, as_of)))

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that most orders held beside a cart product."""
        return best_positive(context, add_rows(self.pairs, context.cart), k)


def by_confidence(context: Context, k: int) -> Ranked:
    """Return the k eligible products with the highest summed confidence, filled up by popularity at score 0."""
    links = context.confidence
    return best_of(context, links.partner, links.total.astype(np.float64), k)
