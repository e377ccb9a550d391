"""An always-valid comparison: it may be looked at as often as one likes, and still errs as rarely as it says.

A test with a fixed level that is repeated until it is significant rejects sooner or later whatever the truth. Here the
likelihood ratio of a difference against none is mixed over normally distributed differences, which makes it a
martingale while there is none: the chance that it *ever* exceeds 1/alpha is at most alpha (Ville 1939). Solved for the
difference this is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024,
*Time-uniform central limit theory and asymptotic confidence sequences*, Annals of Statistics 52), and the p-value is
that of the mixture sequential probability ratio test (Johari, Koomen, Pekelis and Walsh 2017, KDD). It rests on
estimates being about normal, so that nothing is said before some people have been seen: leave the first looks out.

Pure functions on arrays: one entry a look, a metric or an arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AlwaysValid:
    """What may be said at each look; float64 of one shape.

    Attributes:
        low, high: the interval. All looks' intervals hold the truth at once, with probability 1 - alpha.
        p: the chance that differences as large ever appear without any; 1 where nothing is known.
    """

    low: Floats
    high: Floats
    p: Floats

    def first_below(self, alpha: float) -> int | None:
        """Return the first look, from 0, at which `p` is at most alpha; None if there is none."""
        looks = np.flatnonzero(np.atleast_1d(self.p) <= alpha)
        return int(looks[0]) if looks.size else None


def mixture_variance(alpha: float, tightest_at: float) -> float:
    """Return the variance of the mixed differences, in units of one observation's variance.

    With it the interval is, relative to one that is looked at once, narrowest after `tightest_at` observations: the
    root of g = log(1 + g) - 2 log(alpha) is that number's share of the mixture. It has to be chosen before the data
    are looked at.
    """
    from scipy.special import lambertw

    growth = -lambertw(-(alpha**2) / np.e, -1).real - 1
    return float(growth / tightest_at)


def always_valid(
    difference: ArrayLike, variance: ArrayLike, people: ArrayLike, *, alpha: float, tightest_at: float
) -> AlwaysValid:
    """Return interval and p-value of differences, whenever and however often one looks.

    Args:
        difference: estimated, such as a mean of one arm less that of another.
        variance: of that estimate, by the unit of randomisation; not known (NaN) or 0: nothing can be said.
        people: units of randomisation that it rests on, of both arms together.
        alpha: how often to err at most. tightest_at: see `mixture_variance`.
    """
    estimate, spread, count = np.broadcast_arrays(
        np.asarray(difference, np.float64), np.asarray(variance, np.float64), np.asarray(people, np.float64)
    )
    known = np.isfinite(estimate) & (spread > 0) & (count > 0)
    safe = np.where(known, spread, 1.0)
    growth = np.where(known, count, 1.0) * mixture_variance(alpha, tightest_at)
    shrink = growth / (1 + growth)
    half = np.sqrt(safe / shrink * (np.log1p(growth) - 2 * np.log(alpha)))
    log_p = 0.5 * np.log1p(growth) - 0.5 * np.where(known, estimate, 0.0) ** 2 / safe * shrink
    return AlwaysValid(
        np.where(known, estimate - half, -np.inf),
        np.where(known, estimate + half, np.inf),
        np.where(known, np.exp(np.minimum(log_p, 0.0)), 1.0),
    )
