"""A shopper's own habits, mixed with those of the most similar shoppers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from features.context import Context, ProductMatrix
from features.history import History
from features.top import top_rows
from training.baselines.base import Baseline, Ranked, best_positive, known_orders
from training.baselines.people import People, own_profile
from training.baselines.sparse import add_rows


@dataclass(frozen=True)
class TifuKnn(Baseline):
    """own_share × own profile + (1 − own_share) × mean profile of the nearest shoppers (Euclidean distance).

    Where the paper decays purchases by groups of baskets, profiles here decay by time: a live shopper state keeps
    decayed rates. A shopper without orders resembles nobody and gets what is popular.

    Source: temporal item frequency-based user-kNN, Hu et al. 2020 (SIGIR).
    """

    name: ClassVar[str] = "tifu_knn"
    neighbours: ClassVar[int] = 300
    own_share: ClassVar[float] = 0.7
    people: People

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker with all shoppers' profiles at `as_of`."""
        known = known_orders(history, matrix, as_of)
        return cls(People.of(known, as_of, matrix.features.repeat_half_life_days))

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that the shopper and the nearest others buy most."""
        rows, profile = own_profile(context)
        if not rows.size:
            return best_positive(context, np.zeros(len(context.products.catalogue)), k)
        near = self.nearest(context)
        scores = add_rows(self.people.profiles, near) * ((1 - self.own_share) / max(near.size, 1))
        scores[rows] += self.own_share * profile
        return best_positive(context, scores, k)

    def nearest(self, context: Context) -> NDArray[np.int32]:
        """Return the rows of the nearest shoppers with orders, the shopper excluded."""
        closeness = 2 * self.people.products_in_common(*own_profile(context)) - self.people.squared
        others = self.people.orders > 0
        myself = self.people.row_of(context.shopper)
        if myself >= 0:
            others[myself] = False
        found = np.flatnonzero(others)
        return found[top_rows(closeness[found], self.neighbours)].astype(np.int32)
