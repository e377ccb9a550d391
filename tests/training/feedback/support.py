"""Answers shown to simulated shoppers who look at places with known chances: the truth is at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.definitions import COLUMNS
from training.feedback.outcomes import Came
from training.feedback.shown import Exposures

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """Exposures of lists of equal length, what came of each row, and how wanted each row truly was.

    `possible` is float64[exposures], how wanted everything was, added up, that chance could have shown.
    """

    shown: Exposures
    came: NDArray[np.int8]
    wanted: Floats
    possible: Floats


def exposures(
    groups: list[list[str]],
    features: NDArray[np.float32] | None = None,
    *,
    score: Floats | None = None,
    propensity: Floats | None = None,
    explored: NDArray[np.bool_] | None = None,
    versions: list[str] | None = None,
) -> Exposures:
    """Return exposures of these products; all that is not told is as plain as can be."""
    group = np.array([len(one) for one in groups], dtype=np.int64)
    rows, count = int(group.sum()), len(groups)
    return Exposures(
        [f"r{number}" for number in range(count)],
        versions or ["v"] * count,
        np.zeros(count, dtype=bool) if explored is None else explored,
        group,
        [product for one in groups for product in one],
        np.concatenate([np.arange(size) for size in group] or [np.empty(0, dtype=np.int64)]),
        np.zeros(rows) if score is None else score,
        np.ones(rows) if propensity is None else propensity,
        np.zeros((rows, len(COLUMNS)), dtype=np.float32) if features is None else features,
    )


def simulated(
    seed: int, answers: int, curve: Floats, *, epsilon: float = 0.0, slots: int = 0, pool: int = 0, level: float = -1.5
) -> Simulated:
    """Return what shoppers take who look at place k with chance curve[k] and want by what the first columns tell.

    Answers are ranked by a model that is right about half of that. With probability epsilon the last `slots` places are
    drawn from the `pool` products ranked from there on.
    """
    rng, places = np.random.default_rng(seed), curve.size
    first, candidates = places - slots, max(places, places - slots + pool)
    told = rng.normal(size=(answers, candidates, 3))
    model = told[..., 0] + 0.3 * told[..., 1] + rng.normal(scale=0.5, size=told.shape[:2])
    order = np.argsort(-model, axis=1)
    wants = 1 / (1 + np.exp(-(level + told[..., 0] + told[..., 1])))
    possible = np.take_along_axis(wants, order, axis=1).sum(axis=1)
    explored = rng.random(answers) < epsilon
    propensity = np.ones((answers, places))
    for answer in range(answers) if slots else ():
        drawn = np.arange(slots)
        if explored[answer]:
            drawn = rng.permutation(pool)[:slots]
            order[answer, first:places] = order[answer, first : first + pool][drawn]
        propensity[answer, first:] = (1 - epsilon) * (drawn == np.arange(slots)) + epsilon / pool
    top = order[:, :places]
    wanted = np.take_along_axis(wants, top, axis=1)
    taken = rng.random(wanted.shape) < curve * wanted
    features = np.zeros((answers, places, len(COLUMNS)), dtype=np.float32)
    features[..., :3] = np.take_along_axis(told, top[..., None], axis=1)
    shown = exposures(
        [[f"p{row:03d}" for row in rows] for rows in top.tolist()],
        features.reshape(-1, len(COLUMNS)),
        score=np.take_along_axis(model, top, axis=1).ravel(),
        propensity=propensity.ravel(),
        explored=explored,
    )
    came = np.where(taken.ravel(), Came.ORDER, Came.NOTHING).astype(np.int8)
    return Simulated(shown, came, wanted.ravel(), possible)
