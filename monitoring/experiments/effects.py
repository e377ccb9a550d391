"""How large an arm's effect is: ratios of sums over people, their differences, and whether people split as planned.

Arms are dealt to people, and a person's requests resemble each other. So a figure is a ratio of two sums over people,
say adds over requests, and its variance is that of the delta method (Deng, Knoblich and Lu 2018, KDD, *Applying the
delta method in metric analytics*). Pure functions on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.sequential import always_valid

Floats = NDArray[np.float64]
NORMAL = 1.959963984540054
"""Quantile of the normal distribution that leaves 2.5 % above it."""


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums over people. `variance` is that of `value`; NaN where too few people tell it."""

    value: float
    variance: float
    people: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, for one look that was planned beforehand."""
        half = NORMAL * np.sqrt(self.variance)
        return float(self.value - half), float(self.value + half)


@dataclass(frozen=True)
class Effect:
    """An arm against the control.

    Attributes:
        absolute, relative: difference, and difference over the control's value (NaN if that is 0).
        interval, relative_interval: 95 %, for one look that was planned beforehand.
        always: interval of the absolute difference that holds however often one looks, at 1 - alpha.
        p: the chance that such a difference ever appears without any, always-valid.
    """

    absolute: float
    interval: tuple[float, float]
    relative: float
    relative_interval: tuple[float, float]
    always: tuple[float, float]
    p: float


def per_person(units: NDArray[np.int32], values: Floats) -> Floats:
    """Return float64[people, columns], sums of float64[requests, columns]; `units` numbers the people from 0."""
    people = int(units.max()) + 1 if units.size else 0
    return np.stack([np.bincount(units, column, people) for column in values.T], axis=1)


def ratio(numerator: Floats, denominator: Floats) -> Ratio:
    """Return sum(numerator) / sum(denominator); float64[people] each, of which people are drawn independently."""
    people, total = numerator.size, float(denominator.sum())
    if total == 0:
        return Ratio(np.nan, np.nan, people)
    value = float(numerator.sum()) / total
    if people < 2:
        return Ratio(value, np.nan, people)
    rest = numerator - value * denominator
    return Ratio(value, float(rest @ rest) * people / (people - 1) / total**2, people)


def effect(arm: Ratio, control: Ratio, *, alpha: float, tightest_at: float) -> Effect:
    """Return what an arm changes; see `monitoring.sequential.always_valid` for `alpha` and `tightest_at`."""
    difference, variance = arm.value - control.value, arm.variance + control.variance
    always = always_valid(difference, variance, arm.people + control.people, alpha=alpha, tightest_at=tightest_at)
    half = NORMAL * np.sqrt(variance)
    relative, wide = np.nan, np.nan
    if control.value != 0:
        factor = arm.value / control.value
        relative = factor - 1
        wide = NORMAL * np.sqrt(arm.variance + factor**2 * control.variance) / abs(control.value)
    return Effect(
        difference,
        (float(difference - half), float(difference + half)),
        float(relative),
        (float(relative - wide), float(relative + wide)),
        (float(always.low), float(always.high)),
        float(always.p),
    )


def split_p(people: Sequence[int], shares: Sequence[float]) -> float:
    """Return how likely people split over the arms as unevenly as this, if each went to an arm by its share.

    Pearson's chi-square test. A tiny value means that the assignment, or what is recorded of it, is broken (Fabijan et
    al. 2019, KDD, *Diagnosing sample ratio mismatch*).
    """
    from scipy.stats import chisquare

    total = sum(people)
    if total == 0 or len(people) < 2:
        return 1.0
    expected = np.asarray(shares, np.float64) / sum(shares) * total
    return float(chisquare(np.asarray(people, np.float64), expected).pvalue)
