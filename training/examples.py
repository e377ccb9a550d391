"""Rows to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.errors import DataError


@dataclass(frozen=True)
class Examples:
    """Candidates of draws; a draw is one basket with one choice of what is hidden, or one product taken of an answer.

    Attributes:
        features: float32[rows, columns]. label: int8[rows], 1 if the candidate was hidden in the basket, or taken.
        group: int32[draws], rows of each draw, in order.
        tried: draws made, including those that were left out because no hidden product was a candidate.
        weight: float32[rows], what learning from a row counts, the same for all rows of a draw; None: 1 each.
    """

    features: NDArray[np.float32]
    label: NDArray[np.int8]
    group: NDArray[np.int32]
    tried: int
    weight: NDArray[np.float32] | None = None

    @classmethod
    def none(cls, columns: int) -> Examples:
        """Return no examples at all, of features of so many columns."""
        nothing = np.empty((0, columns), dtype=np.float32)
        return cls(nothing, np.empty(0, dtype=np.int8), np.empty(0, dtype=np.int32), 0)

    @property
    def draw(self) -> NDArray[np.int64]:
        """int64[rows], the draw of each row, from 0."""
        return np.repeat(np.arange(self.group.size), self.group)

    def log_share(self, logit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64[rows], the log softmax over each draw's candidates of float64[rows] log-odds."""
        starts = np.cumsum(self.group) - self.group
        logit = logit - np.repeat(np.maximum.reduceat(logit, starts), self.group)
        total = np.add.reduceat(np.exp(logit), starts)
        share: NDArray[np.float64] = logit - np.repeat(np.log(total), self.group)
        return share

    @property
    def holds_hidden(self) -> NDArray[np.bool_]:
        """bool[draws], whether a hidden product is among the draw's candidates."""
        found: NDArray[np.bool_] = np.bincount(self.draw, weights=self.label, minlength=self.group.size) > 0
        return found

    def reached(self) -> Examples:
        """Return the draws that hold a hidden product."""
        found = self.holds_hidden
        if found.all():
            return self
        return self.of(found)

    def some(self, limit: int, seed: int) -> Examples:
        """Return up to `limit` draws in their order, chosen by chance; `tried` stays."""
        if self.group.size <= limit:
            return self
        chosen = np.zeros(self.group.size, dtype=bool)
        chosen[np.random.default_rng(seed).permutation(self.group.size)[:limit]] = True
        return self.of(chosen)

    def joined(self, other: Examples) -> Examples:
        """Return these draws with another's after them; where only one tells weights, the other's are 1."""
        weight = None
        if self.weight is not None or other.weight is not None:
            weight = np.concatenate([self.weights(), other.weights()])
        return Examples(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.label, other.label]),
            np.concatenate([self.group, other.group]),
            self.tried + other.tried,
            weight,
        )

    def weights(self) -> NDArray[np.float32]:
        """Return float32[rows], `weight` or 1 each."""
        return np.ones(self.label.size, dtype=np.float32) if self.weight is None else self.weight

    def of(self, draws: NDArray[np.bool_]) -> Examples:
        """Return the draws chosen by bool[draws]; `tried` stays."""
        rows = draws[self.draw]
        weight = None if self.weight is None else self.weight[rows]
        return Examples(self.features[rows], self.label[rows], self.group[draws], self.tried, weight)


@dataclass(frozen=True)
class Split:
    """Examples to learn from, and those of other shoppers, held back for early stopping and calibration.

    What is held back has one product hidden and all its candidates, and holds the draws too in which the hidden product
    is no candidate, so that figures on it mean what they mean when serving.
    """

    learn: Examples
    held_back: Examples

    def require_draws(self) -> None:
        """Check that something can be learned and judged.

        Raises:
            DataError: no draw to learn from, or none that is held back and holds a hidden product.
        """
        judged = int(self.held_back.holds_hidden.sum())
        if not self.learn.group.size or not judged:
            raise DataError(
                f"Of {self.learn.tried} baskets to learn from {self.learn.group.size}, and of {self.held_back.tried} "
                f"held back {judged}, have a hidden product among their candidates, too few to train and validate on: "
                "bring more orders, or longer TILLWISE_WINDOWS__TARGET_DAYS."
            )
