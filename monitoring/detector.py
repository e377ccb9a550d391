"""An alarm for a mean that became too large, at whatever moment, however often one looks: an e-detector.

Observations lie in [0, 1]; while all is well the mean of the next one, whatever came before, is at most a limit.
Betting against that multiplies a stake by 1 + bet × (observation / limit - 1) each time: on average it does not grow
(Waudby-Smith and Ramdas 2024, *Estimating means of bounded random variables by betting*, JRSS B). Starting such a bet
at every moment and adding them all up gives the e-detector of Shin, Ramdas and Rinaldo (2023, *E-detectors: a
nonparametric framework for sequential change detection*), in their form of Shiryaev and Roberts: sum = factor × (sum
+ 1). While all is well the sum is on average at most the number of observations, so that the mean time until it first
reaches a threshold is at least that threshold, in observations. That holds for any distribution on [0, 1] and any
looking: nothing rests on large numbers. A mixture of bets finds small and large changes, and one long after the start
as fast as one at it.

Pure functions on arrays: one row an observation, any number of streams beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BETS: Floats = 0.95 * np.exp2(-np.arange(7, dtype=np.float64))
"""Shares of the largest bet that cannot lose all: the best one for a mean that went from limit to limit + bet × (1 -
limit). The smallest finds 1.5 points above a small limit, the largest something that nearly always goes wrong."""
MOST = 1e100
"""Sums grow no further: a breach that nobody mends overflows nothing."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for a mean above the limit so far.

    Attributes:
        sums: float64[streams, bets]: what bets that were started at every moment are worth together.
        best: float64[streams, bets]: what the best of them is worth. since: moment of its first observation.
        observations: how many were seen.
    """

    sums: Floats
    best: Floats
    since: Floats
    observations: int

    @classmethod
    def none(cls, streams: int = 1) -> Evidence:
        """Return what is known before anything was seen."""
        shape = (streams, BETS.size)
        return cls(np.zeros(shape), np.ones(shape), np.full(shape, np.nan), 0)

    @property
    def total(self) -> Floats:
        """float64[streams]: the e-detector. An alarm at `threshold` comes by mistake every `threshold` or more."""
        mixed: Floats = self.sums.mean(axis=1)
        return mixed

    @property
    def onset(self) -> Floats:
        """float64[streams]: the likeliest moment at which a change began; NaN before anything was seen."""
        bet = np.argmax(self.best, axis=1)
        found: Floats = self.since[np.arange(bet.size), bet]
        return found


def fold(evidence: Evidence, observations: ArrayLike, moments: ArrayLike, limit: float) -> Evidence:
    """Return the evidence after further observations; in how many parts they come changes nothing.

    Args:
        evidence: so far. observations: float[n] or [n, streams], each in [0, 1]. moments: float[n], when each was.
        limit: what their mean is at most while all is well, above 0 and below 1.

    Raises:
        ValueError: an observation or the limit is outside.
    """
    seen = np.asarray(observations, np.float64)
    seen = seen[:, None] if seen.ndim == 1 else seen
    if not 0 < limit < 1 or not ((seen >= 0) & (seen <= 1)).all():
        raise ValueError(f"Observations must lie in [0, 1] and the limit, which is {limit}, between 0 and 1.")
    sums, best, since = evidence.sums, evidence.best, evidence.since
    for row, moment in zip(seen, np.asarray(moments, np.float64), strict=True):
        factor = 1 + BETS * (row[:, None] / limit - 1)
        fresh = best <= 1  # nothing is lost by starting anew
        since = np.where(fresh, moment, since)
        best = np.minimum(np.where(fresh, 1.0, best) * factor, MOST)
        sums = np.minimum((sums + 1) * factor, MOST)
    return Evidence(sums, best, since, evidence.observations + len(seen))
