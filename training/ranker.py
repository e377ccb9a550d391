"""What scores candidates when serving: the package's models, added up as its head says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions import COLUMNS, assemble
from training.blend import Blend
from training.package import ModelPackage
from training.student.session import OnnxScorer

Floats = NDArray[np.float64]
Scorer = Callable[[NDArray[np.float32]], Floats]
"""float32[rows, columns] → float64[rows], the higher, the better."""

BOUGHT = COLUMNS.index("repeat_count")


def new_to_shopper(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return bool[rows], whether the shopper has not bought the candidate, from its feature row."""
    new: NDArray[np.bool_] = features[:, BOUGHT] == 0
    return new


class Scored:
    """Candidates of one request and what the models say of them; a score is worked out when it is first asked for.

    Attributes:
        rows: int32[n], product rows of the candidates.
        new: bool[n], whether the shopper has not bought each.
    """

    def __init__(
        self, rows: NDArray[np.int32], features: NDArray[np.float32], scorers: Mapping[str, Scorer], head: Blend
    ) -> None:
        self.rows, self.new = rows, new_to_shopper(features)
        self._features, self._scorers, self._head = features, scorers, head
        self._known: dict[str, Floats] = {}

    def score(self, name: str) -> Floats:
        """Return float64[n], the raw score so named: "gbm", "neural", "student" or "student_int8"."""
        if name not in self._known:
            # LightGBM refuses a matrix without rows.
            self._known[name] = self._scorers[name](self._features) if self.rows.size else np.empty(0)
        return self._known[name]

    def features_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32] | None:
        """Return float32[rows, columns], what these products were scored by; None if one was no candidate."""
        place = np.minimum(np.searchsorted(self.rows, rows), max(self.rows.size - 1, 0))  # candidates ascend
        known = self.rows.size > 0 and np.array_equal(self.rows[place], rows)
        return self._features[place] if known else None

    @cached_property
    def logit(self) -> Floats:
        """float64[n], log-odds between the candidates, from the scores of the package's head."""
        return self._head.logit({name: self.score(name) for name in self._head.weights}, self.new)

    @cached_property
    def probability(self) -> Floats:
        """float64[n], the probability that the shopper takes each."""
        return self._head.probability(self.logit, self.new)


class Ranker:
    """Scores candidates with a package's models. One instance a process."""

    def __init__(self, package: ModelPackage) -> None:
        # One thread: with more, LightGBM's threads spin against the other processes of a busy server.
        trees = partial(lgb.Booster(model_str=package.gbm).predict, num_threads=1)
        self._scorers: dict[str, Scorer] = {"gbm": trees, "neural": package.neural.score}
        self._scorers |= {name: OnnxScorer(model).score for name, model in package.students.items()}
        self._heads, self._chosen = package.heads, package.ranking.head

    def score(self, context: Context, candidates: NDArray[np.int32]) -> Scored:
        """Return int32[n] candidates, to be scored in their order."""
        known = candidates.size > 0
        features = assemble(context, candidates) if known else np.empty((0, len(COLUMNS)), dtype=np.float32)
        return self.scored(candidates, features)

    def scored(self, candidates: NDArray[np.int32], features: NDArray[np.float32], head: str | None = None) -> Scored:
        """Return int32[n] candidates with their float32[n, columns] features; by another head than the chosen one."""
        return Scored(candidates, features, self._scorers, self._heads[head or self._chosen])
