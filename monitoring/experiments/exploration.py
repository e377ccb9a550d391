"""What is learned from the places that chance filled: what never, always or otherwise choosing would have earned there.

At a place of chance an arm shows what it ranked there with probability 1 - epsilon, else one of the pool's P products,
each alike. So a product that was ranked there is logged with the propensity 1 - epsilon + epsilon / P, any other with
epsilon / P; out of these epsilon and P are read back. The reward of a place is 1 if its product was added or ordered.
It is taken to depend on the product there and not on the rest of the list (item-position model, Li et al. 2018, KDD).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.settings import MonitoringSettings
from monitoring.experiments.observed import Observed, reached_pairs
from monitoring.experiments.off_policy import Logged, OffPolicy, cross_fitted, estimate
from monitoring.experiments.reading import Rows
from training.evaluation.significance import Mean, mean_with_interval

Floats = NDArray[np.float64]
NEVER, ALWAYS, SHADOW = "never explore", "always explore", "as shadow "
MOST_PROPENSITIES = 1_000
"""More distinct ones than that do not come from one epsilon and few lengths of pools."""


@dataclass(frozen=True)
class Mixture:
    """How chance was mixed in: epsilon; by place the pool's size (int64), and whether its product was ranked there."""

    epsilon: float
    pool: NDArray[np.int64]
    ranked: NDArray[np.bool_]


@dataclass(frozen=True)
class Places:
    """Places of chance of one arm, one entry a place.

    Attributes:
        row: int64, the exposure among those observed. position: int64, from 0. propensity, reward: float64.
        shadow: by arm that was not shown, bool: whether it would have shown the same product there.
    """

    row: NDArray[np.int64]
    position: NDArray[np.int64]
    propensity: Floats
    reward: Floats
    shadow: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Learned:
    """What one arm's places of chance tell.

    Attributes:
        places: how many. as_shown: mean reward of them as they were filled.
        epsilon: None if the propensities come from no single one, and never and always exploring are not estimated.
        policies: what another way to fill them would have earned.
    """

    places: int
    as_shown: Mean
    epsilon: float | None
    policies: dict[str, OffPolicy]


def learn(rows: Rows, seen: Observed, settings: MonitoringSettings) -> dict[str, Learned]:
    """Return by arm what its places of chance tell; arms without any are left out."""
    found = {}
    for number, arm in enumerate(seen.arms):
        places = _places(rows, seen, number)
        if places.row.size:
            found[arm] = _learned(places, seen, settings)
    return found


def mixture_of(propensity: Floats, explored: NDArray[np.bool_]) -> Mixture | None:
    """Return the mixture that logged these propensities, None if it is not known: none does, or epsilon is over 1/2.

    Args:
        propensity: float64[places], below 1. explored: bool[places], whether chance ruled.
    """
    ranked = propensity >= 0.5  # epsilon up to 1/2 leaves no more than 1/4 to any other product
    high, low = np.unique(propensity[ranked]), np.unique(propensity[~ranked])
    if not high.size or not low.size or high.size + low.size > MOST_PROPENSITIES or (~explored & ~ranked).any():
        return None
    for epsilon in np.unique(1 + low[:, None] - high):
        if 0 < epsilon <= 0.5 + 1e-9 and _whole(epsilon / low) and _whole(epsilon / (high - 1 + epsilon)):
            of_one = np.where(ranked, propensity - 1 + epsilon, propensity)
            return Mixture(float(epsilon), np.rint(epsilon / of_one).astype(np.int64), ranked)
    return None


def _whole(sizes: Floats) -> bool:
    """Return whether these may be sizes of pools."""
    return bool((sizes > 0.5).all() and (np.abs(sizes - np.rint(sizes)) <= 1e-6 * sizes).all())


def _learned(places: Places, seen: Observed, settings: MonitoringSettings) -> Learned:
    unit = seen.unit[places.row]
    mixture = mixture_of(places.propensity, seen.explored[places.row])
    known = np.stack([places.position.astype(np.float64), np.log1p(seen.cart_size[places.row])], axis=1)
    logged = {} if mixture is None else _of_mixture(places, unit, mixture, known, settings.ridge)
    for arm, same in places.shadow.items():
        # What a shadow would have shown has no features here: its reward is predicted from the place alone.
        (predicted,) = cross_fitted(known, places.reward, unit, [known], settings.ridge)
        target = same.astype(np.float64)
        logged[SHADOW + arm] = Logged(places.reward, places.propensity, target, unit, predicted, predicted)
    samples, seed = settings.bootstrap_samples, settings.seed
    return Learned(
        int(places.row.size),
        mean_with_interval(places.reward, unit, samples, seed),
        None if mixture is None else mixture.epsilon,
        {name: estimate(item, clip=settings.clip, samples=samples, seed=seed) for name, item in logged.items()},
    )


def _of_mixture(
    places: Places, unit: NDArray[np.int32], mixture: Mixture, known: Floats, ridge: float
) -> dict[str, Logged]:
    """Return the choices with what never and always exploring would do, rewards predicted from being ranked or not."""
    ranked, by_chance = mixture.ranked.astype(np.float64), 1 / mixture.pool
    designs: list[Floats] = [
        np.column_stack([known, flag]) for flag in (ranked, np.ones(unit.size), np.zeros(unit.size))
    ]
    predicted, if_ranked, if_not = cross_fitted(designs[0], places.reward, unit, designs, ridge)
    return {
        NEVER: Logged(places.reward, places.propensity, ranked, unit, predicted, if_ranked),
        ALWAYS: Logged(
            places.reward,
            places.propensity,
            by_chance,
            unit,
            predicted,
            by_chance * if_ranked + (1 - by_chance) * if_not,
        ),
    }


def _places(rows: Rows, seen: Observed, arm: int) -> Places:
    reached = reached_pairs(rows)
    number = {request_id: place for place, request_id in enumerate(seen.request_ids)}
    ours = [row for row in rows.places if seen.arm[number[row[0]]] == arm and seen.faithful[number[row[0]]]]
    shadows = {row[0]: json.loads(row[8]) for row in rows.exposures if row[8] is not None}
    names = sorted({name for row in ours for name in shadows.get(row[0], {})})
    return Places(
        np.array([number[row[0]] for row in ours], dtype=np.int64),
        np.array([row[1] for row in ours], dtype=np.int64),
        np.array([row[3] for row in ours], dtype=np.float64),
        np.array([(row[0], row[2]) in reached for row in ours], dtype=np.float64),
        {name: np.array([_same(shadows.get(row[0], {}).get(name), row[1], row[2]) for row in ours]) for name in names},
    )


def _same(shown: Sequence[str] | None, position: int, product: str) -> bool:
    return shown is not None and position < len(shown) and shown[position] == product
