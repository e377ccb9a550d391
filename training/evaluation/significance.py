"""How sure a figure is: intervals and tests that treat a shopper's cases as one draw.

Cases of one shopper resemble each other, so shoppers are what is resampled (cluster bootstrap, Field and Welsh 2007,
JRSS B) and what changes sign (paired randomisation test, Fisher 1935; Smucker et al. 2007, CIKM, show that it suits
ranking metrics). Several arms against one: Holm 1979.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import Floats

BLOCK = 4_000_000
"""Numbers held at once while resampling: memory stays bounded however many shoppers there are."""

FLIPS = 10_000


@dataclass(frozen=True)
class Mean:
    """A mean over cases and its 95 % percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimates:
    """Several figures and their 95 % percentile intervals; float64[columns] each, NaN where nothing was measured."""

    value: Floats
    low: Floats
    high: Floats

    def __getitem__(self, column: int) -> Mean:
        """Return one figure."""
        return Mean(float(self.value[column]), float(self.low[column]), float(self.high[column]))


class ShopperBootstrap:
    """Resamples shoppers with replacement. The same resamples serve every call, so that arms stay paired.

    Args:
        shoppers: int[cases], who each case belongs to. samples: resamples. seed: of the drawing.
    """

    def __init__(self, shoppers: NDArray[np.int32], samples: int, seed: int) -> None:
        self._clusters = Clusters(shoppers)
        self._samples, self._seed = samples, seed

    def ratios(self, numerator: Floats, denominator: Floats) -> Estimates:
        """Return sum(numerator) / sum(denominator) of each column, with its interval.

        Args:
            numerator, denominator: float64[cases, columns].
        """
        above, below = self._clusters.totals(numerator), self._clusters.totals(denominator)
        return self._estimates(divided(above.sum(axis=0), below.sum(axis=0)), divided(*self._drawn(above, below)))

    def sums(self, values: Floats) -> tuple[Floats, Floats]:
        """Return the sums of float64[cases, columns]: all together, and in each resample, float64[samples, columns]."""
        totals = self._clusters.totals(values)
        return totals.sum(axis=0), self._drawn(totals)[0]

    def lifts(self, ours: Floats, theirs: Floats) -> Estimates:
        """Return sum(ours) / sum(theirs) - 1 of each column, with its interval; shapes as in `ratios`."""
        found = self.ratios(ours, theirs)
        return Estimates(found.value - 1.0, found.low - 1.0, found.high - 1.0)

    def means(self, values: Floats, members: Floats) -> tuple[Floats, Floats]:
        """Return the mean of each group of cases, and what it is in each resample; NaN where a group is missing.

        Args:
            values: float64[cases]. members: float64[cases, groups], 1 where the case belongs to the group, else 0.

        Returns:
            float64[groups] and float64[samples, groups].
        """
        above, below = self._clusters.totals(values[:, None] * members), self._clusters.totals(members)
        return divided(above.sum(axis=0), below.sum(axis=0)), divided(*self._drawn(above, below))

    def _drawn(self, *totals: Floats) -> tuple[Floats, ...]:
        sums: list[list[Floats]] = [[] for _ in totals]
        for times in self._blocks():
            for held, total in zip(sums, totals, strict=True):
                held.append(times @ total)
        return tuple(np.concatenate(held) for held in sums)

    def _blocks(self) -> Iterator[Floats]:
        """Yield float64[samples of a block, shoppers]: how often each shopper is drawn."""
        size = self._clusters.size
        generator, rows = np.random.default_rng(self._seed), max(1, BLOCK // size)
        for first in range(0, self._samples, rows):
            block = min(rows, self._samples - first)
            drawn = generator.integers(0, size, (block, size)) + np.arange(block)[:, None] * size
            times = np.bincount(drawn.ravel(), minlength=block * size).reshape(block, size)
            yield times.astype(np.float64)

    def _estimates(self, value: Floats, drawn: Floats) -> Estimates:
        low, high = np.full(value.size, np.nan), np.full(value.size, np.nan)
        for column in np.flatnonzero(~np.isnan(value)):  # a small slice may be missing from some resamples
            known = drawn[~np.isnan(drawn[:, column]), column]
            if known.size:
                low[column], high[column] = np.percentile(known, [2.5, 97.5])
        return Estimates(value, low, high)


class Clusters:
    """Cases grouped by shopper."""

    def __init__(self, shoppers: NDArray[np.int32]) -> None:
        _, member = np.unique(shoppers, return_inverse=True)
        self._order = np.argsort(member, kind="stable")
        self._start = np.flatnonzero(np.diff(member[self._order], prepend=-1))

    @property
    def size(self) -> int:
        """Distinct shoppers."""
        return int(self._start.size)

    def totals(self, values: Floats) -> Floats:
        """Return float64[shoppers, columns], the sums over each shopper's cases of float64[cases, columns]."""
        totals: Floats = np.add.reduceat(values[self._order], self._start, axis=0)
        return totals


def mean_with_interval(values: Floats, shoppers: NDArray[np.int32], samples: int, seed: int) -> Mean:
    """Return the mean over cases with the 95 % percentile interval of a cluster bootstrap over shoppers.

    Args:
        values: float64[cases], at least one. shoppers: int32[cases], who each case belongs to.
        samples: resamples. seed: of the resampling; equal seeds resample equally, so arms stay paired.
    """
    column = values[:, None]
    return ShopperBootstrap(shoppers, samples, seed).ratios(column, np.ones_like(column))[0]


def sign_flip_p(differences: Floats, shoppers: NDArray[np.int32], seed: int, flips: int = FLIPS) -> Floats:
    """Return the two-sided p-value of each column: how often chance alone makes a difference as large.

    If neither arm were better, each shopper's total difference could as well have the other sign. The observed signs
    count as one of the flips, so p is never 0 and the test never rejects too often (Phipson and Smyth 2010).

    Args:
        differences: float64[cases, columns], ours less theirs on the same case.
        shoppers: int32[cases]. seed: of the flips; the same flips for every column. flips: how many.
    """
    totals = Clusters(shoppers).totals(differences)
    observed = np.abs(totals.sum(axis=0))
    # Sums of the same numbers in another order differ in the last bits; they still count as equally large.
    reached = observed - 1e-9 * np.maximum(np.abs(totals).sum(axis=0), 1e-300)
    generator, rows = np.random.default_rng(seed), max(1, BLOCK // totals.shape[0])
    as_large = np.zeros(totals.shape[1])
    for first in range(0, flips, rows):
        block = min(rows, flips - first)
        signs = generator.integers(0, 2, (block, totals.shape[0]), dtype=np.int8) * 2.0 - 1.0
        as_large += (np.abs(signs @ totals) >= reached).sum(axis=0)
    p: Floats = (1.0 + as_large) / (1.0 + flips)
    return p


def holm(p: Floats) -> Floats:
    """Return Holm's adjusted p-values (float64, as many): reject those at or below alpha to err at most that often."""
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def divided(numerator: Floats, denominator: Floats) -> Floats:
    """Return numerator / denominator, NaN where the latter is 0; it may be broadcast to the former's shape."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
