"""Two scores into one, and into the probability that a candidate is taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from training.examples import Examples

Floats = NDArray[np.float64]
FAINT = 1e-9
"""Below any share that matters; keeps logarithms finite."""


@dataclass(frozen=True)
class Blend:
    """How the GBM's and the network's scores are added up, and what a share of the softmax means.

    The sum is log-odds between candidates; its softmax over the candidates is each one's share, given that one of them
    is taken. `probability` turns the share into the probability that it is taken at all, by a logistic regression
    (Platt 1999) that knows whether the product is new to the shopper: candidates reach fewer of those.

    Attributes:
        gbm, neural: weights of the two scores. new: added for a product that the shopper has not bought.
        intercept, slope, new_intercept, new_slope: of the logistic regression on the log share.
    """

    gbm: float
    neural: float
    new: float
    intercept: float
    slope: float
    new_intercept: float
    new_slope: float

    def logit(self, gbm: Floats, neural: Floats, new: NDArray[np.bool_]) -> Floats:
        """Return float64[rows], log-odds between the candidates of a request."""
        logit: Floats = self.gbm * gbm + self.neural * neural + self.new * new
        return logit

    def probability(self, logit: Floats, new: NDArray[np.bool_]) -> Floats:
        """Return float64[rows] in (0, 1) for all candidates of one request."""
        return self._calibrated(logit - np.logaddexp.reduce(logit), new)

    def _calibrated(self, log_share: Floats, new: NDArray[np.bool_]) -> Floats:
        odds = _columns(log_share, new) @ np.array([self.intercept, self.slope, self.new_intercept, self.new_slope])
        probability: Floats = 1.0 / (1.0 + np.exp(-odds))
        return probability

    def as_dict(self) -> dict[str, float]:
        """Return the eight numbers by name."""
        return asdict(self)


def fit_blend(examples: Examples, gbm: Floats, neural: Floats, new: NDArray[np.bool_]) -> Blend:
    """Return the blend of maximum likelihood on held-back examples.

    Args:
        examples: all candidates of each draw, whether or not they hold the hidden product; at least one does.
        gbm, neural: float64[rows], the two scores. new: bool[rows], products new to the shopper.
    """
    scale = max(float(gbm.std()), FAINT), max(float(neural.std()), FAINT)
    parts = np.stack([gbm / scale[0], neural / scale[1], new.astype(np.float64)], axis=1)
    weights = _softmax_weights(examples, parts)
    log_share = _log_softmax(parts @ weights, examples)
    regression = _logistic(_columns(log_share, new), examples.label.astype(np.float64))
    first, second, third = weights.tolist()
    return Blend(first / scale[0], second / scale[1], third, *regression.tolist())


def _softmax_weights(examples: Examples, parts: Floats) -> Floats:
    """Return the weights that make the hidden candidates most likely; both scores weigh 0 or more."""
    draw, label = examples.draw, examples.label.astype(np.float64)
    hidden = np.bincount(draw, weights=label, minlength=examples.group.size)
    reached = hidden > 0
    rows = reached[draw]
    wanted = label / np.maximum(hidden, 1)[draw]

    def loss(weights: Floats) -> tuple[float, Floats]:
        log_share = _log_softmax(parts @ weights, examples)
        share = np.exp(log_share) * rows
        return -float(wanted @ log_share), (share - wanted) @ parts

    found = minimize(
        loss, np.array([1.0, 1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (0, None), (None, None)]
    )
    weights: Floats = found.x
    return weights


def _log_softmax(logit: Floats, examples: Examples) -> Floats:
    starts = np.cumsum(examples.group) - examples.group
    logit = logit - np.repeat(np.maximum.reduceat(logit, starts), examples.group)
    total = np.add.reduceat(np.exp(logit), starts)
    share: Floats = logit - np.repeat(np.log(total), examples.group)
    return share


def _columns(log_share: Floats, new: NDArray[np.bool_]) -> Floats:
    flag = new.astype(np.float64)
    return np.stack([np.ones_like(log_share), log_share, flag, flag * log_share], axis=1)


def _logistic(columns: Floats, label: Floats, prior: float = 1.0) -> Floats:
    """Return the coefficients of a logistic regression, held to the identity by a weak normal prior."""
    start = np.array([0.0, 1.0, 0.0, 0.0])

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = columns @ weights
        gap = weights - start
        value = float(np.logaddexp(0.0, odds).sum() - label @ odds + 0.5 * prior * gap @ gap)
        return value, columns.T @ (1.0 / (1.0 + np.exp(-odds)) - label) + prior * gap

    weights: Floats = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return weights
