"""What sells most to anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from features.context import Context, ProductMatrix
from features.decay import decayed
from features.history import History
from training.baselines.base import Baseline, Ranked, best_positive, by_popularity, known_orders


class Popularity(Baseline):
    """Decayed number of orders, with the product matrix's slow half-life."""

    name: ClassVar[str] = "popularity"

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker; the product matrix holds all that it needs."""
        known_orders(history, matrix, as_of)
        return cls()

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k most popular products."""
        return by_popularity(context, k)


@dataclass(frozen=True)
class RecentPopularity(Baseline):
    """Decayed number of orders, with the product matrix's fast half-life: what sells these days.

    Attributes:
        rate: float64[products], orders decayed to the cutoff.
    """

    name: ClassVar[str] = "recent_popularity"
    rate: NDArray[np.float64]

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker with the rates at `as_of`."""
        known = known_orders(history, matrix, as_of)
        at = known.at[known.line_order]
        weight = decayed(np.ones(at.size), at, as_of, matrix.features.trend_half_life_days)
        rate = np.bincount(known.product, weight, minlength=len(known.catalogue))
        return cls(rate.astype(np.float64, copy=False))

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that sell most lately."""
        return best_positive(context, self.rate, k)
