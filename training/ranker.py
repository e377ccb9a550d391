"""What scores candidates when serving: the package's models, added up as its head says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions import COLUMNS, assemble
from features.top import top_rows
from training.blend import Blend
from training.package import ModelPackage
from training.quick_trees import QuickTrees
from training.student.quick import QuickStudent
from training.student.session import OnnxScorer

Floats = NDArray[np.float64]
Scorer = Callable[[NDArray[np.float32]], Floats]
"""float32[rows, columns] → float64[rows], the higher, the better."""

BOUGHT = COLUMNS.index("repeat_count")

COARSE = "student_int8"
"""The head that chooses which candidates the dearer ones look at."""


def new_to_shopper(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return bool[rows], whether the shopper has not bought the candidate, from its feature row."""
    new: NDArray[np.bool_] = features[:, BOUGHT] == 0
    return new


@dataclass(frozen=True)
class Cascade:
    """A cheap head ranks all candidates, and only its best ones are worth a dearer head's time.

    The cascade of Viola and Jones 2001 (CVPR), as Wang, Lin and Metzler 2011 (SIGIR) use it for ranking.

    Attributes:
        head: of the cheap model. shortlist: how many of its best candidates the dearer head scores.
    """

    head: Blend
    shortlist: int


class Scored:
    """Candidates of one request and what the models say of them; a score is worked out when it is first asked for.

    Attributes:
        rows: int32[n], product rows of the candidates.
        features: float32[n, columns].
        new: bool[n], whether the shopper has not bought each.
    """

    def __init__(
        self,
        rows: NDArray[np.int32],
        features: NDArray[np.float32],
        scorers: Mapping[str, Scorer],
        head: Blend,
        cascade: Cascade | None = None,
    ) -> None:
        self.rows, self.features, self.new = rows, features, new_to_shopper(features)
        self._scorers, self._head, self._cascade = scorers, head, cascade
        self._known: dict[str, Floats] = {}

    def score(self, name: str) -> Floats:
        """Return float64[n], the raw score so named: "gbm", "neural", "student" or "student_int8"."""
        if name not in self._known:
            self._known[name] = self._scorers[name](self.features) if self.rows.size else np.empty(0)
        return self._known[name]

    def features_of(self, rows: NDArray[np.int32]) -> NDArray[np.float32] | None:
        """Return float32[rows, columns], what these products were scored by; None if one was no candidate."""
        place = np.minimum(np.searchsorted(self.rows, rows), max(self.rows.size - 1, 0))  # candidates ascend
        known = self.rows.size > 0 and np.array_equal(self.rows[place], rows)
        return self.features[place] if known else None

    @cached_property
    def logit(self) -> Floats:
        """float64[n], log-odds between the candidates: by the package's head, beyond the shortlist by the cheap one.

        A head's log-odds mean something up to a constant of the request, which its softmax does not see. So the cheap
        head's are moved by the constant that leaves the shortlist as a whole the share that the cheap head gives it.
        """
        cascade = self._cascade
        if cascade is None or self.rows.size <= cascade.shortlist:
            return self._logit(self._head)
        logit = self._logit(cascade.head)
        best = top_rows(logit, cascade.shortlist)
        dear = Scored(self.rows[best], self.features[best], self._scorers, self._head).logit
        logit += np.logaddexp.reduce(dear) - np.logaddexp.reduce(logit[best])
        logit[best] = dear
        return logit

    @cached_property
    def probability(self) -> Floats:
        """float64[n], the probability that the shopper takes each."""
        return self._head.probability(self.logit, self.new)

    def _logit(self, head: Blend) -> Floats:
        return head.logit({name: self.score(name) for name in head.weights}, self.new)


class Ranker:
    """Scores candidates with a package's models. One instance a process."""

    def __init__(self, package: ModelPackage) -> None:
        self._scorers: dict[str, Scorer] = {name: OnnxScorer(model).score for name, model in package.students.items()}
        trees = QuickTrees.of(package.gbm)
        self._scorers["gbm"] = OnnxScorer(package.trees).score if trees is None else trees.score
        coarse = QuickStudent.of(package.students[COARSE])
        if coarse is not None:
            self._scorers[COARSE] = coarse.score
        self._scorers["neural"] = package.neural.score
        self._heads, self._ranking = package.heads, package.ranking

    def score(self, context: Context, candidates: NDArray[np.int32]) -> Scored:
        """Return int32[n] candidates, to be scored in their order."""
        known = candidates.size > 0
        features = assemble(context, candidates) if known else np.empty((0, len(COLUMNS)), dtype=np.float32)
        return self.scored(candidates, features, self._ranking.head, self._ranking.shortlist)

    def scored(
        self, candidates: NDArray[np.int32], features: NDArray[np.float32], head: str, shortlist: int = 0
    ) -> Scored:
        """Return int32[n] candidates with their float32[n, columns] features, to be scored by a head.

        `shortlist`: how many of them a head that is not cheap itself scores, as the setting says; 0: all.
        """
        cheap = head.startswith("student") or not shortlist
        cascade = None if cheap else Cascade(self._heads[COARSE], shortlist)
        return Scored(candidates, features, self._scorers, self._heads[head], cascade)
