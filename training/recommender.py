"""Ranking for one request: candidates, features, model, the best k, and a reason for each. Synchronous, no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigError
from features.activity import Action, RecentActivity
from features.context import Context
from features.segments import SEGMENTS
from features.shopper import ShopperState
from features.signals import activity_term, signals
from features.top import top_rows
from training.baselines.base import Ranked, best_of, by_popularity
from training.baselines.frequently_bought_together import by_confidence
from training.candidates import generate
from training.package import ModelPackage
from training.ranker import Ranker, Scored
from training.reasons import EVERYBODY, reasons_for

FALLBACKS = ("frequently_bought_together", "popularity")
"""Arms that need no model, in the order in which the service falls back to them."""

SEGMENT = "segment_popularity"
"""The arm that costs next to nothing: what sells to shoppers of the same segment, prepared when the model was made."""

SIGNALS = "signals"
"""The arm of weighted signals."""

SCORES = ("gbm", "neural", "student", "student_int8")
"""Arms that rank by one model's raw score, whichever head the package's settings chose."""

ARMS = ("model", "value", *SCORES, SIGNALS, *FALLBACKS, SEGMENT)
"""Names of the ways to rank: by the head that the settings chose, for the most conversions ("model") or for the most
expected value, probability × what selling one earns ("value"); by each model alone; by weighted signals of activity,
history and context, without a model; the fallbacks; and the popular set of the shopper's segment."""

AMOUNTS = ("value", *FALLBACKS, SEGMENT)
"""Arms whose scores are amounts from 0 (money, shares, orders); the others' are log-odds or as good as."""

CLEARLY = math.log(2)
"""Log-odds from recent activity that are worth telling the shopper: it doubled the odds."""


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
        self._found: tuple[Context, bool, NDArray[np.int32]] | None = None
        self._last: tuple[Context, Scored] | None = None
        # Functions and no bound methods: those would hold the recommender in a cycle, and with it a swapped package.
        self._arms: dict[str, Callable[[Recommender, Context, int], Ranked]] = {
            "model": Recommender._by_probability,
            "value": Recommender._by_value,
            **{name: partial(Recommender._by_score, name=name) for name in SCORES},
            SIGNALS: Recommender._by_signals,
            "frequently_bought_together": lambda _, context, k: by_confidence(context, k),
            "popularity": lambda _, context, k: by_popularity(context, k),
            SEGMENT: Recommender._by_segment,
        }

    def weighted(self, weights: Mapping[str, float]) -> Recommender:
        """Return one that ranks with some other weights of the arm `signals`; it shares this one's models.

        Args:
            weights: some of those of `configs.learning.SignalSettings`, by name.
        """
        ranking = self.package.ranking
        changed = ranking.model_copy(update={"weights": ranking.weights.model_copy(update=dict(weights))})
        found = copy(self)
        found.package, found._found, found._last = replace(self.package, ranking=changed), None, None
        return found

    def context(
        self, cart: Iterable[str], shopper: ShopperState, now: float, activity: Iterable[Action] = ()
    ) -> Context:
        """Return the request in the package's product rows; unknown products of cart and activity are left out."""
        matrix, most = self.package.matrix, self.package.ranking.weights.most_actions
        recent = RecentActivity.of(activity, matrix.row_of, most)
        return Context(matrix, shopper, matrix.rows(cart), now, recent)

    def rank(self, context: Context, k: int, arm: str = "model") -> Ranked:
        """Return the best k product rows and their scores.

        Raises:
            ConfigError: there is no such arm.
        """
        if arm not in self._arms:
            raise ConfigError(f"There is no arm {arm!r}: choose one of {', '.join(ARMS)}.")
        return self._arms[arm](self, context, k)

    def recommend(
        self,
        cart: Iterable[str],
        shopper: ShopperState,
        now: float,
        k: int = 10,
        arm: str = "model",
        *,
        activity: Iterable[Action] = (),
    ) -> list[Recommendation]:
        """Return the best k products for a live cart, best first.

        Args:
            cart: product ids, any order; duplicates and unknown ids do not matter.
            shopper: state from completed orders, empty if unknown.
            now: unix seconds to rank for.
            k: most items returned; never one of the cart's, never one out of stock.
            arm: one of `ARMS`.
            activity: what the session did lately, any order. The arm `signals` looks at it, and the arm `model` if the
                setting `ranking.signals` is above 0; to the others it makes no difference.

        Raises:
            ConfigError: there is no such arm.
        """
        context = self.context(cart, shopper, now, activity if self.browses(arm) else ())
        return self.explain(context, *self.rank(context, k, arm), arm)

    def explain(
        self, context: Context, rows: NDArray[np.int32], scores: NDArray[np.float64], arm: str
    ) -> list[Recommendation]:
        """Return products, in the order given, with the reason for which the arm recommends each.

        Args:
            context: the request. rows: int32[n], product rows, ranked by the arm or not. scores: float64[n].
            arm: one of `ARMS`.
        """
        cards, personal = self.package.matrix.cards, arm not in FALLBACKS
        if arm == SEGMENT:  # when it is asked there is no time to look for reasons
            return [
                Recommendation(cards[row].product_id, score, EVERYBODY)
                for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
            ]
        reasons = reasons_for(context, rows, personal=personal, browsed=self._browsed(context, rows, arm))
        return [
            Recommendation(cards[row].product_id, score, reason)
            for row, score, reason in zip(rows.tolist(), scores.tolist(), reasons, strict=True)
        ]

    def browses(self, arm: str) -> bool:
        """Return whether the arm looks at recent activity."""
        return arm == SIGNALS or (arm == "model" and self.package.ranking.signals > 0)

    def probability(self, context: Context, rows: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return float64[rows], the calibrated probability that each ranked product is taken."""
        scored = self._scored(context)
        place = np.searchsorted(scored.rows, rows)  # candidates ascend
        found: NDArray[np.float64] = scored.probability[place]
        return found

    def features_of(self, context: Context, rows: NDArray[np.int32]) -> NDArray[np.float32] | None:
        """Return float32[rows, columns], what the products just ranked for a request were scored by, bit for bit.

        None if no model scored them for this request, or another request came since: whoever wants features
        nevertheless assembles them.
        """
        return None if self._last is None or self._last[0] is not context else self._last[1].features_of(rows)

    def _by_probability(self, context: Context, k: int) -> Ranked:
        scored, ranking = self._scored(context), self.package.ranking
        score = scored.logit + ranking.discovery * scored.new
        if ranking.signals:
            score = score + ranking.signals * activity_term(context, scored.rows, ranking.weights)
        return _best(scored.rows, score, k)

    def _by_score(self, context: Context, k: int, name: str) -> Ranked:
        scored = self._scored(context)
        return _best(scored.rows, scored.score(name), k)

    def _by_value(self, context: Context, k: int) -> Ranked:
        scored = self._scored(context)
        return _best(scored.rows, scored.probability * self.package.matrix.worth[scored.rows], k)

    def _by_signals(self, context: Context, k: int) -> Ranked:
        rows, weights = self._candidates(context, browsing=True), self.package.ranking.weights
        return _best(rows, signals(context, rows, weights).score(weights), k)

    def _by_segment(self, context: Context, k: int) -> Ranked:
        """Return the first k of the popular set of the shopper's segment that may be shown, filled up by popularity."""
        shopper = context.shopper
        segment = shopper.segment(context.now) if shopper.orders else "unknown"
        rows = self.package.popular[SEGMENTS.index(segment)][: k + context.cart.size]
        return best_of(context, rows, 1.0 / np.arange(1.0, rows.size + 1), k)

    def _browsed(self, context: Context, rows: NDArray[np.int32], arm: str) -> NDArray[np.bool_]:
        """Return bool[rows], whether recent activity is what the arm ranks each product for, above all."""
        ranking = self.package.ranking
        if not context.activity.rows.size:
            return np.zeros(rows.size, dtype=bool)
        if arm == SIGNALS:
            return signals(context, rows, ranking.weights).led_by_activity(ranking.weights)
        clear: NDArray[np.bool_] = ranking.signals * activity_term(context, rows, ranking.weights) >= CLEARLY
        return clear

    def _scored(self, context: Context) -> Scored:
        """Return the candidates and their scores; several arms asked about the same request share the work."""
        if self._last is None or self._last[0] is not context:
            candidates = self._candidates(context, browsing=self.package.ranking.signals > 0)
            self._last = context, self._ranker.score(context, candidates)
        return self._last[1]

    def _candidates(self, context: Context, *, browsing: bool) -> NDArray[np.int32]:
        """Return the candidates, shared likewise; `browsing`: with those from recent activity, if there is any."""
        browsing = browsing and context.activity.rows.size > 0
        if self._found is None or self._found[0] is not context or self._found[1] != browsing:
            self._found = context, browsing, generate(context, self.package.candidates, browsing=browsing)
        return self._found[2]


def _best(rows: NDArray[np.int32], scores: NDArray[np.float64], k: int) -> Ranked:
    best = top_rows(scores, k)
    return rows[best], scores[best]
