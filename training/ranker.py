"""What scores candidates when serving: the GBM and the network, added up as the package's blend says."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions import COLUMNS, assemble
from training.blend import Blend
from training.neural.network import NeuralRanker

Floats = NDArray[np.float64]
BOUGHT = COLUMNS.index("repeat_count")


def new_to_shopper(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return bool[rows], whether the shopper has not bought the candidate, from its feature row."""
    new: NDArray[np.bool_] = features[:, BOUGHT] == 0
    return new


@dataclass(frozen=True)
class Scored:
    """Candidates of one request and what the models say of them; one entry a candidate.

    Attributes:
        rows: int32, product rows. gbm, neural: each model's score. logit: their blend, log-odds between candidates.
        new: whether the shopper has not bought it.
    """

    rows: NDArray[np.int32]
    gbm: Floats
    neural: Floats
    logit: Floats
    new: NDArray[np.bool_]


class Ranker:
    """Scores candidates with both models. One instance a process."""

    def __init__(self, gbm: str, neural: NeuralRanker, blend: Blend) -> None:
        self._booster = lgb.Booster(model_str=gbm)
        self._neural, self._blend = neural, blend

    def score(self, context: Context, candidates: NDArray[np.int32]) -> Scored:
        """Return the scores of int32[n] candidates, in their order."""
        if not candidates.size:
            nothing = np.empty(0)
            return Scored(candidates, nothing, nothing, nothing, np.empty(0, dtype=bool))
        features = assemble(context, candidates)
        # One thread: with more, LightGBM's threads spin against the other processes of a busy server.
        gbm = np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)
        neural, new = self._neural.score(features), new_to_shopper(features)
        return Scored(candidates, gbm, neural, self._blend.logit(gbm, neural, new), new)

    def probability(self, scored: Scored) -> Floats:
        """Return float64[candidates], the probability that the shopper takes each."""
        return self._blend.probability(scored.logit, scored.new) if scored.rows.size else scored.logit
