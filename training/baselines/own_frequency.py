"""What this shopper buys most, lately."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from features.context import Context, ProductMatrix
from features.history import History
from training.baselines.base import Baseline, Ranked, best_of, known_orders


class OwnFrequency(Baseline):
    """The shopper's own purchases, each decayed by the repeat half-life (90 days by default) to the request's moment.

    It learns nothing from other shoppers, so it cannot name a product that is new to the shopper.
    """

    name: ClassVar[str] = "own_frequency"

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker; everything comes with the request's shopper state."""
        known_orders(history, matrix, as_of)
        return cls()

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that the shopper bought most, lately."""
        return best_of(context, *own_rates(context), k)


def own_rates(context: Context) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return (int32 product rows, float64 decayed purchases at the request's moment) of what the shopper bought."""
    table = context.shopper.products
    rows = context.products.rows_of_keys(table.keys)
    rate = table.at(context.now, context.products.features.repeat_half_life_days)
    return rows[rows >= 0], rate[rows >= 0]
