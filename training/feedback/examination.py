"""How likely each place of an answer is looked at, told from what was taken where.

The position-based model: a product is taken at place k with probability θ(k) · γ, its chance to be looked at there
times how wanted it is. θ is known up to a factor, so the first place has 1.

- Places left to chance: where chance ruled, products came to those places in random order, so what is taken at one
  against another is the ratio of their θ and of nothing else. All pairs of places are used (Agarwal et al. 2019, WSDM,
  *Estimating position bias without intrusive interventions*).
- All places: the maximum of the likelihood with γ a logistic regression on what the product was ranked by, its score
  and features. It is what regression-EM climbs to (Wang et al. 2018, WSDM, *Position bias estimation for unbiased
  learning to rank in personal search*), found directly. A normal prior around the configured curve holds it where
  there is little evidence. It rests on γ being well told by that regression, so what chance tells goes before it.

Pure functions on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.settings import ExaminationSettings

Floats = NDArray[np.float64]

CONFIGURED, REGRESSION, CHANCE = "the configured curve", "a regression on all places", "places left to chance"

LEAST_OF_A_PAIR = 20
"""Products taken at each of two places of chance, below which their ratio says too little to be used."""
RIDGE = 1.0
"""Strength of the penalty on the regression's coefficients, whose inputs are standardised."""
MOST_ROWS = 200_000
"""Rows that the regression looks at, the newest: it has some fifty coefficients."""
LOWEST = 0.01


@dataclass(frozen=True)
class Looks:
    """What examination is told from, one entry a product shown.

    Attributes:
        exposure: int64[rows], ascending. place: int64[rows], from 0. taken: bool[rows], whether anything came of it.
        by_chance: bool[rows], whether chance put it there: it ruled, and this place was left to it.
        inputs: float64[rows, columns], what the product was ranked by, standardised.
    """

    exposure: NDArray[np.int64]
    place: NDArray[np.int64]
    taken: NDArray[np.bool_]
    by_chance: NDArray[np.bool_]
    inputs: Floats

    @property
    def places(self) -> int:
        """How many places there are."""
        return int(self.place.max(initial=-1)) + 1


@dataclass(frozen=True)
class Examination:
    """float64[places], the chance of each place to be looked at where the first one has 1, and what told it."""

    curve: Floats
    source: str


def configured(places: int, settings: ExaminationSettings) -> Examination:
    """Return the curve of the settings."""
    return Examination(np.arange(1, places + 1, dtype=np.float64) ** -settings.power, CONFIGURED)


def examine(looks: Looks, settings: ExaminationSettings) -> Examination:
    """Return the best that can be told of each place."""
    base = configured(looks.places, settings)
    if int(looks.taken.sum()) < settings.least_outcomes:
        return base
    chance = by_chance(looks)
    known = ~np.isnan(chance)
    if known.all():
        return Examination(np.exp(chance - chance[0]), CHANCE)
    logs = by_regression(looks, np.log(base.curve), settings.spread)
    if not known.any():
        return Examination(np.exp(logs), REGRESSION)
    # Within the places of chance their own ratios; the level from the regression.
    logs[known] = chance[known] + (logs[known] - chance[known]).mean()
    return Examination(np.exp(np.minimum(logs - logs[0], 0.0)), f"{REGRESSION}, with {CHANCE}")


def by_chance(looks: Looks) -> Floats:
    """Return float64[places], log θ up to one number for all; NaN where chance does not tell it.

    Of several groups of places that chance compares only within each, the largest is told.
    """
    places = looks.places
    answers, answer = np.unique(looks.exposure[looks.by_chance], return_inverse=True)
    at = answer, looks.place[looks.by_chance]
    taken, shown = np.zeros((2, answers.size, places))
    taken[at], shown[at] = looks.taken[looks.by_chance], 1.0
    together = taken.T @ shown  # [k, l]: taken at k, in answers where chance filled k and l
    enough = np.minimum(together, together.T) >= LEAST_OF_A_PAIR
    np.fill_diagonal(enough, False)
    group = _largest_group(enough)
    logs = np.full(places, np.nan)
    if group.size < 2:
        return logs
    first, second = np.nonzero(np.triu(enough[np.ix_(group, group)]))
    one, other = together[group[first], group[second]], together[group[second], group[first]]
    precision = np.sqrt(1 / (1 / one + 1 / other))  # of the logarithm of a ratio of two counts
    design = np.zeros((first.size + 1, group.size))
    design[np.arange(first.size), first], design[np.arange(first.size), second] = precision, -precision
    design[-1, 0] = 1.0  # the first of them has 0
    logs[group] = np.linalg.lstsq(design, np.append(precision * np.log(one / other), 0.0), rcond=None)[0]
    return logs


def by_regression(looks: Looks, base: Floats, spread: float) -> Floats:
    """Return float64[places], log θ, 0 at the first place and nowhere above.

    Args:
        looks: at least one product was taken. base: float64[places], the prior's mean. spread: its deviation.
    """
    from scipy.optimize import minimize

    recent = slice(max(0, looks.taken.size - MOST_ROWS), None)
    place, taken, places = looks.place[recent], looks.taken[recent].astype(np.float64), looks.places
    inputs = np.concatenate([np.ones((place.size, 1)), looks.inputs[recent]], axis=1)

    def loss(values: Floats) -> tuple[float, Floats]:
        at, weights = np.append(0.0, values[: places - 1]), values[places - 1 :]
        odds = inputs @ weights
        log_p = np.minimum(at[place] - np.logaddexp(0.0, -odds), -1e-9)
        p = np.exp(log_p)
        pull = p / (1 - p) * (1 - taken) - taken  # the loss's slope in log p
        gap = at[1:] - base[1:]
        value = -float(taken @ log_p + (1 - taken) @ np.log1p(-p))
        value += 0.5 * float(gap @ gap) / spread**2 + 0.5 * RIDGE * float(weights[1:] @ weights[1:])
        slope = inputs.T @ (pull / (1 + np.exp(odds)))
        slope[1:] += RIDGE * weights[1:]
        of_place = np.bincount(place, pull, places)[1:] + gap / spread**2
        return value, np.concatenate([of_place, slope])

    rate = np.clip(taken.mean(), 1e-6, 1 - 1e-6)
    start = np.concatenate([base[1:], [np.log(rate / (1 - rate))], np.zeros(inputs.shape[1] - 1)])
    bounds = [(np.log(LOWEST), 0.0)] * (places - 1) + [(None, None)] * inputs.shape[1]
    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.append(0.0, found[: places - 1])


def _largest_group(linked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the places of the largest group that links connect."""
    from scipy.sparse.csgraph import connected_components

    _, group = connected_components(linked, directed=False)
    return np.flatnonzero(group == np.bincount(group).argmax())
