"""Single products hidden in baskets of held-back shoppers, to read a model or to measure an idea on.

Unlike training examples, draws keep the request that each came from, and whose it was; unlike the evaluation of a
package, they lie before its cutoff, so that looking at them again and again uses up no test data.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs import Settings
from features.context import Context, ProductMatrix
from features.definitions import FEATURES, Feature, assemble, columns_of
from features.history import History
from features.windows import Window
from training.candidates import generate
from training.dataset import held_back_shoppers, states_of
from training.evaluation.metrics import Floats, accuracy
from training.protocol import make_cases

if TYPE_CHECKING:
    from feast import FeatureStore


@dataclass(frozen=True)
class Draws:
    """Baskets with one product hidden in each, and all candidates of each; the rows are the draws' one after another.

    Attributes:
        contexts: the requests. shopper: int32[draws], row in the history. hidden: int32[draws], product row.
        candidates: int32[rows], product rows, ascending within a draw. group: int64[draws], rows of each draw.
        features: float32[rows, columns]. columns: their names.
    """

    contexts: list[Context]
    shopper: NDArray[np.int32]
    hidden: NDArray[np.int32]
    candidates: NDArray[np.int32]
    group: NDArray[np.int64]
    features: NDArray[np.float32]
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.hidden.size)

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """int64[draws], the first row of each draw."""
        start: NDArray[np.int64] = np.cumsum(self.group) - self.group
        return start

    @cached_property
    def draw(self) -> NDArray[np.int64]:
        """int64[rows], the draw of each row."""
        return np.repeat(np.arange(len(self)), self.group)

    @cached_property
    def label(self) -> NDArray[np.bool_]:
        """bool[rows], whether the candidate is the hidden product."""
        label: NDArray[np.bool_] = self.candidates == self.hidden[self.draw]
        return label

    def rows(self, draw: int) -> slice:
        """Return where the rows of one draw lie."""
        return slice(int(self.start[draw]), int(self.start[draw] + self.group[draw]))

    def place(self, scores: Floats) -> NDArray[np.int64]:
        """Return int64[draws], the hidden product's place by float64[rows] scores: 0 is best, -1 no candidate.

        Of equal scores the lower product row comes first, as in a served list.
        """
        found = np.full(len(self), -1, dtype=np.int64)
        at = np.flatnonzero(self.label)
        of = self.draw[at]
        wanted, row = np.full(len(self), np.nan), np.full(len(self), -1)
        wanted[of], row[of] = scores[at], at
        ahead = scores > wanted[self.draw]
        ahead |= (scores == wanted[self.draw]) & (np.arange(scores.size) < row[self.draw])
        found[of] = np.bincount(self.draw, weights=ahead, minlength=len(self))[of]
        return found

    def accuracy(self, scores: Floats, k: int) -> dict[str, Floats]:
        """Return float64[draws] each of hit rate, recall, NDCG and MRR at k of a ranking by float64[rows] scores.

        A draw whose hidden product is no candidate counts as a miss.
        """
        hit = self.place(scores)[:, None] == np.arange(k)
        return accuracy(hit, np.ones(len(self), dtype=np.int64), k)

    def shuffled(self, columns: Collection[str], rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the features with some columns shuffled together, to see what a ranker loses without them.

        They are shuffled among the candidates of the same draw, so that everything else about it stays true. Columns
        that are equal for all candidates of every draw are taken from another draw, the same for all its candidates.

        Source: permutation importance, Breiman 2001 (Machine Learning).
        """
        features, filled = self.features.copy(), np.flatnonzero(self.group > 0)
        within = np.lexsort((rng.random(self.label.size), self.draw))
        another = self.start[rng.permutation(filled)][np.searchsorted(filled, self.draw)]
        for place in (place for place, name in enumerate(self.columns) if name in columns):
            values = self.features[:, place]
            constant = np.array_equal(values, values[self.start[self.draw]], equal_nan=True)
            features[:, place] = values[another if constant else within]
        return features


def held_back_draws(
    settings: Settings,
    store: FeatureStore,
    history: History,
    window: Window,
    matrix: ProductMatrix,
    *,
    limit: int,
    features: Sequence[Feature] = FEATURES,
) -> Draws:
    """Return draws of a window's baskets of the shoppers that training with the same settings does not learn from.

    Args:
        settings: windows, candidates, and the training seed and share that choose the shoppers.
        store: an open feature store. history: all orders.
        window: a training fold. matrix: the product side as known just before it.
        limit: at most so many baskets, sampled by seed. features: what the columns are.
    """
    least, seed = settings.windows.min_basket_products, settings.windows.seed
    apart = held_back_shoppers(history, settings)
    cases = make_cases(history, window, hidden_share=0.0, min_products=least, seed=seed)
    cases = [case for case in cases if apart[history.shopper[case.order]]]
    cases = [cases[i] for i in sorted(np.random.default_rng(seed).permutation(len(cases))[:limit].tolist())]
    states = states_of(settings, store, history, cases)
    contexts = [Context(matrix, state, case.cart, case.at) for case, state in zip(cases, states, strict=True)]
    candidates = [generate(context, settings.candidates) for context in contexts]
    blocks = [assemble(context, rows, features) for context, rows in zip(contexts, candidates, strict=True)]
    columns = columns_of(features)
    return Draws(
        contexts,
        history.shopper[[case.order for case in cases]],
        np.array([case.hidden[0] for case in cases], dtype=np.int32),
        np.concatenate([np.empty(0, dtype=np.int32), *candidates]),
        np.array([rows.size for rows in candidates], dtype=np.int64),
        np.concatenate([np.empty((0, len(columns)), dtype=np.float32), *blocks]),
        columns,
    )
