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
from training.candidates import eligible, generate
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


Ranked = tuple[NDArray[np.int32], NDArray[np.float64]]
"""(product rows, scores), best first."""


class Recommender:
    """Ranks with one model package. One instance a process; not for use from several threads at once."""

    def __init__(self, package: ModelPackage) -> None:
        self.package = package
        self._booster = lgb.Booster(model_str=package.ranker)
        self._arms: dict[str, Callable[[Context, int], Ranked]] = {
            "model": self._by_model,
            "frequently_bought_together": _by_confidence,
            "popularity": _by_popularity,
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


def _by_confidence(context: Context, k: int) -> Ranked:
    links = context.confidence
    allowed = eligible(context, links.partner)
    rows, weight = links.partner[allowed], links.total[allowed].astype(np.float64)
    best = top_rows(weight, k)
    rows, weight = rows[best], weight[best]
    if rows.size < k:  # a cart without enough partners is filled up by popularity, scored below any link
        more, _ = _by_popularity(context, k + rows.size)
        more = more[~np.isin(more, rows)][: k - rows.size]
        rows, weight = np.concatenate([rows, more]), np.concatenate([weight, np.zeros(more.size)])
    return rows, weight


def _by_popularity(context: Context, k: int) -> Ranked:
    rows, step = context.products.by_popularity, k + context.cart.size
    best = np.empty(0, dtype=np.int32)
    for start in range(0, rows.size, step):  # one round, unless many of the most popular are out of stock
        chunk = rows[start : start + step]
        best = np.concatenate([best, chunk[eligible(context, chunk)]])[:k]
        if best.size == k:
            break
    return best, context.products.stats.popularity[best].astype(np.float64)
