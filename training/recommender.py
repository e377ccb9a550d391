"""Ranking for one request: candidates, features, model, the best k, and a reason for each. Synchronous, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigError
from features.context import Context
from features.definitions import assemble
from features.shopper import ShopperState
from training.baselines.base import Ranked, by_popularity
from training.baselines.frequently_bought_together import by_confidence
from training.candidates import generate
from training.package import ModelPackage
from training.reasons import reason_for
from training.top import top_rows

ARMS = ("model", "frequently_bought_together", "popularity")
"""Names of the ways to rank; the latter two are also what the service falls back to."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommended product: its score (comparable within one answer only) and a reason a shopper can read."""

    product_id: str
    score: float
    reason: str


class Recommender:
    """Ranks with one model package. One instance a process; not for use from several threads at once."""

    def __init__(self, package: ModelPackage) -> None:
        self.package = package
        self._booster = lgb.Booster(model_str=package.ranker)
        self._arms: dict[str, Callable[[Context, int], Ranked]] = {
            "model": self._by_model,
            "frequently_bought_together": by_confidence,
            "popularity": by_popularity,
        }

    def context(self, cart: Iterable[str], shopper: ShopperState, now: float) -> Context:
        """Return the request in the package's product rows; unknown cart products are left out."""
        matrix = self.package.matrix
        return Context(matrix, shopper, matrix.rows(cart), now)

    def rank(self, context: Context, k: int, arm: str = "model") -> Ranked:
        """Return the best k product rows and their scores.

        Raises:
            ConfigError: there is no such arm.
        """
        if arm not in self._arms:
            raise ConfigError(f"There is no arm {arm!r}: choose one of {', '.join(ARMS)}.")
        return self._arms[arm](context, k)

    def recommend(
        self, cart: Iterable[str], shopper: ShopperState, now: float, k: int = 10, arm: str = "model"
    ) -> list[Recommendation]:
        """Return the best k products for a live cart, best first.

        Args:
            cart: product ids, any order; duplicates and unknown ids do not matter.
            shopper: state from completed orders, empty if unknown.
            now: unix seconds to rank for.
            k: most items returned; never one of the cart's, never one out of stock.
            arm: one of `ARMS`.

        Raises:
            ConfigError: there is no such arm.
        """
        context = self.context(cart, shopper, now)
        rows, scores = self.rank(context, k, arm)
        ids = self.package.products.ids
        return [
            Recommendation(ids[row], float(score), reason_for(context, int(row), personal=arm == "model"))
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]

    def _by_model(self, context: Context, k: int) -> Ranked:
        candidates = generate(context, self.package.candidates)
        if not candidates.size:
            return candidates, np.empty(0)
        matrix = assemble(context, candidates)
        # One thread: with more, LightGBM's threads spin against the other processes of a busy server.
        scores: NDArray[np.float64] = np.asarray(self._booster.predict(matrix, num_threads=1))
        best = top_rows(scores, k)
        return candidates[best], scores[best]
