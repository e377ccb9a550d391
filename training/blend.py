"""Scores into one, and into the probability that a candidate is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.examples import Examples

Floats = NDArray[np.float64]
FAINT = 1e-9
"""Below any share that matters; keeps logarithms finite."""


@dataclass(frozen=True)
class Blend:
    """How scores are added up, be it two or one, and what a share of the softmax means.

    The sum is log-odds between candidates; its softmax over the candidates is each one's share, given that one of them
    is taken. `probability` turns the share into the probability that it is taken at all, by a logistic regression
    (Platt 1999) that knows whether the product is new to the shopper: candidates reach fewer of those.

    Attributes:
        weights: of each score by name. new: added for a product that the shopper has not bought.
        intercept, slope, new_intercept, new_slope: of the logistic regression on the log share.
    """

    weights: Mapping[str, float]
    new: float
    intercept: float
    slope: float
    new_intercept: float
    new_slope: float

    def logit(self, scores: Mapping[str, Floats], new: NDArray[np.bool_]) -> Floats:
        """Return float64[rows], log-odds between the candidates of a request.

        Args:
            scores: float64[rows] of each name in `weights`, and maybe of others. new: bool[rows].
        """
        parts = [weight * scores[name] for name, weight in self.weights.items()]
        logit: Floats = np.sum([self.new * new, *parts], axis=0)
        return logit

    def probability(self, logit: Floats, new: NDArray[np.bool_]) -> Floats:
        """Return float64[rows] in (0, 1) for all candidates of one request."""
        return self._calibrated(logit - np.logaddexp.reduce(logit), new)

    def _calibrated(self, log_share: Floats, new: NDArray[np.bool_]) -> Floats:
        odds = _columns(log_share, new) @ np.array([self.intercept, self.slope, self.new_intercept, self.new_slope])
        probability: Floats = 1.0 / (1.0 + np.exp(-odds))
        return probability

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return asdict(self)


def fit_blend(examples: Examples, scores: Mapping[str, Floats], new: NDArray[np.bool_]) -> Blend:
    """Return the blend of maximum likelihood on held-back examples.

    Args:
        examples: all candidates of each draw, whether or not they hold the hidden product; at least one does.
        scores: float64[rows] by name, at least one. new: bool[rows], products new to the shopper.
    """
    scale = [max(float(score.std()), FAINT) for score in scores.values()]
    parts = np.stack([*(score / by for score, by in zip(scores.values(), scale, strict=True)), new], axis=1)
    weights = _softmax_weights(examples, parts)
    log_share = examples.log_share(parts @ weights)
    regression = _logistic(_columns(log_share, new), examples.label.astype(np.float64))
    *of_scores, of_new = weights.tolist()
    named = {name: weight / by for name, weight, by in zip(scores, of_scores, scale, strict=True)}
    return Blend(named, of_new, *regression.tolist())


def _softmax_weights(examples: Examples, parts: Floats) -> Floats:
    """Return the weights that make the hidden candidates most likely; every score weighs 0 or more."""
    draw, label = examples.draw, examples.label.astype(np.float64)
    hidden = np.bincount(draw, weights=label, minlength=examples.group.size)
    reached = hidden > 0
    rows = reached[draw]
    wanted = label / np.maximum(hidden, 1)[draw]

    def loss(weights: Floats) -> tuple[float, Floats]:
        log_share = examples.log_share(parts @ weights)
        share = np.exp(log_share) * rows
        return -float(wanted @ log_share), (share - wanted) @ parts

    from scipy.optimize import minimize  # half a second, which whoever only ranks does not pay

    scores = parts.shape[1] - 1
    start, bounds = np.array([1.0] * scores + [0.0]), [(0, None)] * scores + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights: Floats = found.x
    return weights


def _columns(log_share: Floats, new: NDArray[np.bool_]) -> Floats:
    flag = new.astype(np.float64)
    return np.stack([np.ones_like(log_share), log_share, flag, flag * log_share], axis=1)


def _logistic(columns: Floats, label: Floats, prior: float = 1.0) -> Floats:
    """Return the coefficients of a logistic regression, held to the identity by a weak normal prior."""
    from scipy.optimize import minimize

    start = np.array([0.0, 1.0, 0.0, 0.0])

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = columns @ weights
        gap = weights - start
        value = float(np.logaddexp(0.0, odds).sum() - label @ odds + 0.5 * prior * gap @ gap)
        return value, columns.T @ (1.0 / (1.0 + np.exp(-odds)) - label) + prior * gap

    weights: Floats = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return weights
