"""Habit and cart in one sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from features.context import Context, ProductMatrix
from features.history import History
from training.baselines.base import Baseline, Ranked, best_positive
from training.baselines.item_item import ItemItemCosine
from training.baselines.own_frequency import own_rates
from training.baselines.sparse import add_rows


@dataclass(frozen=True)
class Blend(Baseline):
    """The shopper's own decayed purchases plus `cart_weight` × the cart's summed cosine."""

    name: ClassVar[str] = "blend"
    cart_weight: ClassVar[float] = 15.0
    cosine: ItemItemCosine

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker with the pairs before `as_of`."""
        return cls(ItemItemCosine.fit(history, matrix, as_of))

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that the shopper's habit and the cart together suggest most."""
        scores = self.cart_weight * add_rows(self.cosine.weights, context.cart)
        rows, rate = own_rates(context)
        scores[rows] += rate
        return best_positive(context, scores, k)
