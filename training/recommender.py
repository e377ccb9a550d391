"""Ranking for one request: candidates, features, model, the best k, and a reason for each. Synchronous, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigError
from features.context import Context
from features.shopper import ShopperState
from features.top import top_rows
from training.baselines.base import Ranked, by_popularity
from training.baselines.frequently_bought_together import by_confidence
from training.candidates import generate
from training.package import ModelPackage
from training.ranker import Ranker, Scored
from training.reasons import reason_for

FALLBACKS = ("frequently_bought_together", "popularity")
"""Arms that need no model, in the order in which the service falls back to them."""

SCORES = ("gbm", "neural", "student", "student_int8")
"""Arms that rank by one model's raw score, whichever head the package's settings chose."""

ARMS = ("model", "value", *SCORES, *FALLBACKS)
"""Names of the ways to rank: by the head that the settings chose, for the most conversions ("model") or for the most
expected value, probability × what selling one earns ("value"); by each model alone; and the fallbacks."""


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
        self._ranker = Ranker(package)
        self._last: tuple[Context, Scored] | None = None
        self._arms: dict[str, Callable[[Context, int], Ranked]] = {
            "model": self._by_probability,
            "value": self._by_value,
            **{name: partial(self._by_score, name) for name in SCORES},
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
            Recommendation(ids[row], float(score), reason_for(context, int(row), personal=arm not in FALLBACKS))
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]

    def probability(self, context: Context, rows: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return float64[rows], the calibrated probability that each ranked product is taken."""
        scored = self._scored(context)
        place = np.searchsorted(scored.rows, rows)  # candidates ascend
        found: NDArray[np.float64] = scored.probability[place]
        return found

    def _by_probability(self, context: Context, k: int) -> Ranked:
        scored = self._scored(context)
        return _best(scored.rows, scored.logit + self.package.ranking.discovery * scored.new, k)

    def _by_score(self, name: str, context: Context, k: int) -> Ranked:
        scored = self._scored(context)
        return _best(scored.rows, scored.score(name), k)

    def _by_value(self, context: Context, k: int) -> Ranked:
        scored = self._scored(context)
        return _best(scored.rows, scored.probability * self.package.matrix.worth[scored.rows], k)

    def _scored(self, context: Context) -> Scored:
        """Return the candidates and their scores; several arms asked about the same request share the work."""
        if self._last is None or self._last[0] is not context:
            candidates = generate(context, self.package.candidates)
            self._last = context, self._ranker.score(context, candidates)
        return self._last[1]


def _best(rows: NDArray[np.int32], scores: NDArray[np.float64], k: int) -> Ranked:
    best = top_rows(scores, k)
    return rows[best], scores[best]
