"""What each feature contributes to a score: numbers by name that add up to it. For operators, not for every request.

- Trees: TreeSHAP (Lundberg et al. 2020, Nature Machine Intelligence), as LightGBM does it; `base` is the mean score.
- Networks: Shapley values by sampled orders of the columns, each with its reverse (Štrumbelj and Kononenko 2014,
  Knowledge and Information Systems; Mitchell et al. 2022, JMLR). Along an order, columns go one by one from the mean of
  training to the candidate's value, and each gets the change of the score, so that any number of orders adds up
  exactly; more of them only share out more evenly. `base` is the score of the mean. `student_int8` has the
  contributions of `student`, and as `int8` what rounding changed: that depends on the candidates beside it.
- A product beyond the shortlist has the cheap student's score; as `beyond_shortlist` it has what that differs by.
- A head's log-odds are its weights times these, plus `new_to_shopper`; the arm model adds `discovery` and `signals`.
- Value is probability × worth: the probability's way from the base's to the candidate's is shared out in proportion to
  the contributions to the log-odds, at the usual worth; `worth` is what the product's differing from it brings.
- The arm signals has its three terms; the fallbacks have one number, their score.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions import COLUMNS, assemble
from features.signals import activity_term, signals
from training.blend import FAINT, Blend, Floats
from training.lean_lightgbm import lgb
from training.package import ModelPackage
from training.ranker import new_to_shopper
from training.recommender import SCORES, SIGNALS
from training.student.session import OnnxScorer

Parts = dict[str, Floats]
"""float64[rows] by name, which add up to scores."""

Features = NDArray[np.float32]
ORDERS = 4
"""Sampled orders of columns, each taken from both ends."""

SEED = 5
ROUNDED = "student_int8"
TOLERANCE = 1e-4
"""Contributions add up to the score to within this: the sums are of float32."""


class Explainer:
    """Takes a package's scores apart. Holds models of its own, so that it may work beside a `Recommender`."""

    def __init__(self, package: ModelPackage) -> None:
        self._package, self._typical = package, package.neural.scaling.typical_features()

    def contributions(
        self, context: Context, rows: NDArray[np.int32], scores: Floats, arm: str
    ) -> list[dict[str, float]]:
        """Return for each row the contributions that add up to its score, the largest first, none of 0.

        Args:
            context: the request. rows: int32[n], products that the arm ranked. scores: float64[n], which it gave them.
            arm: one of `training.recommender.ARMS`.
        """
        if not rows.size:
            return []
        parts = self._parts(context, rows, scores, arm)
        table = np.stack([np.broadcast_to(values, rows.shape) for values in parts.values()], axis=1)
        names = list(parts)
        return [
            {names[place]: float(row[place]) for place in np.argsort(-np.abs(row), kind="stable") if row[place] != 0}
            for row in table
        ]

    def _parts(self, context: Context, rows: NDArray[np.int32], scores: Floats, arm: str) -> Parts:
        ranking = self._package.ranking
        if arm == SIGNALS:
            terms, weights = signals(context, rows, ranking.weights), ranking.weights
            return {name: getattr(weights, name) * getattr(terms, name) for name in ("activity", "history", "context")}
        if arm not in ("model", "value", *SCORES):
            return {arm: scores}
        features = assemble(context, rows)
        if arm in SCORES:
            return _rest(self._of(arm, features), "int8", scores) if arm == ROUNDED else self._of(arm, features)
        head, new = self._package.heads[ranking.head], new_to_shopper(features)
        parts = self._log_odds(head, features, new)
        if arm == "value":
            return self._value(head, parts, rows, scores, new)
        parts["discovery"] = ranking.discovery * new.astype(np.float64)
        parts["signals"] = ranking.signals * activity_term(context, rows, ranking.weights)
        if ROUNDED in head.weights:
            return _rest(parts, "int8", scores)
        return _rest(parts, "beyond_shortlist", scores) if ranking.shortlist else parts

    def _log_odds(self, head: Blend, features: Features, new: NDArray[np.bool_]) -> Parts:
        of_new: Floats = head.new * new.astype(np.float64)
        total: Parts = {"new_to_shopper": of_new}
        for name, weight in head.weights.items():
            for part, values in self._of(name, features).items():
                total[part] = weight * values + total.get(part, 0.0)
        return total

    def _value(
        self, head: Blend, parts: Parts, rows: NDArray[np.int32], scores: Floats, new: NDArray[np.bool_]
    ) -> Parts:
        worth = self._package.matrix.worth[rows].astype(np.float64)
        usual = float(np.median(self._package.matrix.worth))
        probability = np.clip(scores / np.where(worth == 0, 1.0, worth), FAINT, 1 - FAINT)
        moved = np.sum([values for name, values in parts.items() if name != "base"], axis=0)
        odds = np.log(probability / (1 - probability)) - (head.slope + head.new_slope * new) * moved
        at_base = 1.0 / (1.0 + np.exp(-odds))
        share = (probability - at_base) / np.where(moved == 0, 1.0, moved)
        shared = {name: usual * share * values for name, values in parts.items() if name != "base"}
        return shared | {"base": usual * at_base, "worth": scores - usual * probability}

    def _of(self, name: str, features: Features) -> Parts:
        """Return what adds up to the score so named; for the rounded student to the student's."""
        if name == "gbm":
            return self._trees(features)
        network = self._package.neural if name == "neural" else self._student
        return shapley(network.score, features, self._typical)

    def _trees(self, features: Features) -> Parts:
        found = self._booster.predict(features, pred_contrib=True, num_threads=1)
        return dict(zip((*COLUMNS, "base"), found.T, strict=True))

    @cached_property
    def _booster(self) -> lgb.Booster:
        return lgb.Booster(model_str=self._package.gbm)

    @cached_property
    def _student(self) -> OnnxScorer:
        return OnnxScorer(self._package.students["student"])


def _rest(parts: Parts, name: str, scores: Floats) -> Parts:
    """Return contributions with what is left to the scores, where it is more than rounding, under a name."""
    rest = scores - np.sum([*parts.values()], axis=0)
    return parts | {name: np.where(np.abs(rest) > TOLERANCE, rest, 0.0)}


def shapley(score: Callable[[Features], Floats], features: Features, typical: Features) -> Parts:
    """Return each column's sampled Shapley value and the `base`.

    Args:
        score: float32[rows, columns] → float64[rows]. features: float32[n, columns], at least one row.
        typical: float32[columns], what stands for a column that is not told yet.
    """
    size, columns = features.shape
    draw, total = np.random.default_rng(SEED), np.zeros((size, columns))
    steps = np.arange(columns + 1)[:, None]
    for order in (draw.permutation(columns) for _ in range(ORDERS)):
        for way in (order, order[::-1]):
            told = np.argsort(way)[None, :] < steps
            along = np.where(told, features[:, None, :], typical).astype(np.float32, copy=False)
            scores = score(along.reshape(-1, columns)).reshape(size, columns + 1)
            total[:, way] += np.diff(scores, axis=1)
            base: Floats = scores[:, 0]
    shares: Floats = total.T / (2 * ORDERS)
    return dict(zip(COLUMNS, shares, strict=True)) | {"base": base}
