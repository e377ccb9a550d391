"""What another way to choose would have earned, from a log of choices made with known probabilities.

Each logged choice counts by weight = probability that the other policy makes it / probability with which it was made.

- IPS, the mean of weight × reward: unbiased, if whatever the other policy may choose could have been chosen (Horvitz
  and Thompson 1952).
- SNIPS divides by the sum of the weights instead: a little biased, far less noisy (Swaminathan and Joachims 2015).
- DR predicts rewards, and uses the weights only for what the prediction misses: unbiased like IPS however wrong the
  prediction, less noisy if it is of any use (Dudík, Langford and Li 2011).

Clipped weights trade noise for bias. Pure functions on arrays, one entry a choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.significance import Mean, ShopperBootstrap

Floats = NDArray[np.float64]
ESTIMATORS = ("ips", "snips", "dr", "clipped_ips", "clipped_snips", "clipped_dr")
FOLDS = 5


@dataclass(frozen=True)
class Logged:
    """Choices that were made, float64[choices] each but `unit`.

    Attributes:
        reward: what came of the choice. propensity: probability with which it was made, above 0.
        target: probability that the other policy makes it.
        unit: int32[choices], the person.
        predicted: reward that a model predicts for the choice. expected: for what the other policy would choose,
            averaged over its choices. Models must not have seen the choices of the same person: see `cross_fitted`.
    """

    reward: Floats
    propensity: Floats
    target: Floats
    unit: NDArray[np.int32]
    predicted: Floats
    expected: Floats


@dataclass(frozen=True)
class OffPolicy:
    """The estimates.

    Attributes:
        value: by name of ESTIMATORS, with 95 % intervals of a bootstrap over people.
        choices, effective: choices logged, and how many of the other policy's own would be worth as much (Kish).
        mean_weight: about 1 if whatever the other policy would choose could have been chosen, else less.
        clipped: share of choices whose weight was clipped.
    """

    value: dict[str, Mean]
    choices: int
    effective: float
    mean_weight: float
    clipped: float


def estimate(logged: Logged, *, clip: float, samples: int, seed: int) -> OffPolicy:
    """Return what the other policy would have earned a choice.

    Args:
        logged: at least one choice. clip: largest weight of the clipped variants.
        samples, seed: of the bootstrap over people.

    Raises:
        ValueError: a propensity is not in (0, 1].
    """
    if not ((logged.propensity > 0) & (logged.propensity <= 1)).all():
        raise ValueError("a propensity is not in (0, 1]: the choice could not have been logged")
    weight = logged.target / logged.propensity
    columns = [_terms(logged, some) for some in (weight, np.minimum(weight, clip))]
    above, below = (np.concatenate(parts, axis=1) for parts in zip(*columns, strict=True))
    found = ShopperBootstrap(logged.unit, samples, seed).ratios(above, below)
    return OffPolicy(
        {name: found[column] for column, name in enumerate(ESTIMATORS)},
        int(weight.size),
        effective_size(weight),
        float(weight.mean()),
        float((weight > clip).mean()),
    )


def effective_size(weight: Floats) -> float:
    """Return how many equally weighted choices would be as sure (Kish 1965); 0 if every weight is 0."""
    square = float(weight @ weight)
    return float(weight.sum()) ** 2 / square if square else 0.0


def cross_fitted(
    design: Floats, reward: Floats, unit: NDArray[np.int32], others: Sequence[Floats], ridge: float
) -> list[Floats]:
    """Return ridge predictions of the reward for each of `others`, by models that never saw the same person.

    Args:
        design: float64[choices, columns], what the reward is predicted from. others: of the same shape, the same
            choices with what they might have been instead. ridge: penalty of every column; the mean bears none.
        unit: int32[choices]; the models' folds are of people, by their number.
    """
    predicted = [np.zeros(reward.size) for _ in others]
    fold = unit % FOLDS
    for part in np.unique(fold):
        held = fold == part
        seen = ~held if (~held).any() else held
        centre, mean = design[seen].mean(axis=0), reward[seen].mean()
        known = design[seen] - centre
        slope = np.linalg.solve(known.T @ known + ridge * np.eye(design.shape[1]), known.T @ (reward[seen] - mean))
        for found, other in zip(predicted, others, strict=True):
            found[held] = mean + (other[held] - centre) @ slope
    return predicted


def _terms(logged: Logged, weight: Floats) -> tuple[Floats, Floats]:
    """Return (numerators, denominators), float64[choices, 3]: IPS, SNIPS and DR as ratios of sums."""
    one = np.ones_like(weight)
    weighted = weight * logged.reward
    corrected = logged.expected + weight * (logged.reward - logged.predicted)
    return np.stack([weighted, weighted, corrected], axis=1), np.stack([one, weight, one], axis=1)
