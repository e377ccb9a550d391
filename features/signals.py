"""Weighted signals: a score of recent activity, history and context that needs no model.

    score = weights.activity · A + weights.history · H + weights.context · C

Each term lies in [0, 1], so that a weight is the most that its signal can add.

- A, activity: every action is worth its kind's weight · 2^(−age / half-life), exact at the moment of the request. The
  product itself gets the share `product` of that, its partners `partner` · cosine, its leaf category `category`, its
  brand `brand`. The sum over all actions and ways is the pull x; A = x / (1 + x).
- H, history: r / (1 + r) · (1 + d) / 2, where r is the decayed number of the shopper's orders with the product, and
  d = min(1, days since the last / usual gap) is how due it is, 0.5 where there is no usual gap yet.
- C, context: the weighted mean of x / (1 + x) for x = summed cosine + summed confidence with the cart; of popularity
  lately on a log scale; and of min(p / u, u / p) for price p and the usual price u (0.5 where one is unknown).

With the default weights and one view:

| candidate                              | viewed just now      | 5 minutes ago | 10 minutes ago |
|----------------------------------------|----------------------|---------------|----------------|
| the product (in its category and brand) | x = 1.15, A = 0.535 | 0.575, 0.365  | 0.288, 0.223   |
| bought with it, cosine 0.2             | x = 0.4, A = 0.286   | 0.2, 0.167    | 0.1, 0.091     |
| of its category, another brand         | x = 0.1, A = 0.091   | 0.05, 0.048   | 0.025, 0.024   |

and of a product that the shopper buys every 7 days, with r = 2:

| last bought | d    | H     |
|-------------|------|-------|
| today       | 0    | 0.333 |
| 3.5 days ago | 0.5 | 0.5   |
| 7 days ago  | 1    | 0.667 |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.settings import SignalSettings
from features.activity import RecentActivity
from features.context import Context, ProductMatrix
from features.decay import decayed
from features.definitions import repeat
from features.lookup import locate

Floats = NDArray[np.float64]
MINUTES_A_DAY = 1440.0
HALF = 0.5
"""Stands for what is not known: neither for nor against."""


@dataclass(frozen=True)
class Signals:
    """The three terms of each candidate, float64[n] in [0, 1]."""

    activity: Floats
    history: Floats
    context: Floats

    def score(self, weights: SignalSettings) -> Floats:
        """Return float64[n], at least 0; the higher, the better."""
        score: Floats = (
            weights.activity * self.activity + weights.history * self.history + weights.context * self.context
        )
        return score

    def led_by_activity(self, weights: SignalSettings) -> NDArray[np.bool_]:
        """Return bool[n], whether no other term adds more to the score than recent activity, which adds something."""
        of_activity = weights.activity * self.activity
        other = np.maximum(weights.history * self.history, weights.context * self.context)
        led: NDArray[np.bool_] = (of_activity >= other) & (of_activity > 0)
        return led


def signals(context: Context, candidates: NDArray[np.int32], weights: SignalSettings) -> Signals:
    """Return the terms of candidates.

    Args:
        context: the request. candidates: int32[n], product rows, any order.
        weights: what signals are worth.
    """
    return Signals(
        activity_term(context, candidates, weights),
        _history(context, candidates),
        _context(context, candidates, weights),
    )


def activity_term(context: Context, candidates: NDArray[np.int32], weights: SignalSettings) -> Floats:
    """Return float64[n] in [0, 1], how much the session's recent activity speaks for each candidate."""
    return _bounded(pull(context.activity, context.now, candidates, context.products, weights))


def pull(
    activity: RecentActivity,
    now: float,
    candidates: NDArray[np.int32],
    products: ProductMatrix,
    weights: SignalSettings,
) -> Floats:
    """Return float64[n], the decayed recent activity that points at each candidate; half of it a half-life later.

    Args:
        activity: what happened; a moment after `now` counts as now.
        now: unix seconds. candidates: int32[n], product rows, any order.
    """
    if not activity.rows.size:
        return np.zeros(candidates.size)
    kinds = np.array([weights.view, weights.add, weights.remove])
    worth = decayed(kinds[activity.kind], activity.at, now, weights.half_life_minutes / MINUTES_A_DAY)
    seen, place = np.unique(activity.rows, return_inverse=True)
    worth = np.bincount(place, weights=worth).astype(np.float64, copy=False)
    leaf, brand = products.catalogue.levels.leaf, products.catalogue.brand_keys
    partner, cosine, origin = products.together.cosine.rows(seen)
    branded = brand[seen] != 0
    total: Floats = (
        weights.product * _sums(seen, worth, candidates)
        + weights.partner * _sums(partner, worth[origin] * cosine, candidates)
        + weights.category * _sums(leaf[seen], worth, leaf[candidates])
        + weights.brand * _sums(brand[seen][branded], worth[branded], brand[candidates])
    )
    return total


def _history(context: Context, candidates: NDArray[np.int32]) -> Floats:
    columns = dict(zip(repeat.FEATURE.columns, repeat.FEATURE.compute(context, candidates), strict=True))
    rate, due = (np.asarray(columns[name], dtype=np.float64) for name in ("repeat_rate", "repeat_due"))
    due = np.where(np.isnan(due), HALF, np.minimum(due, 1.0))
    history: Floats = _bounded(rate) * (1.0 + due) / 2
    return history


def _context(context: Context, candidates: NDArray[np.int32], weights: SignalSettings) -> Floats:
    together = np.zeros(candidates.size)
    for links in (context.cosine, context.confidence):
        row, known = links.find(candidates)
        if links.partner.size:
            together += np.where(known, links.total[row], 0.0)
    term: Floats = (
        weights.cart * _bounded(together)
        + weights.popularity * context.products.popularity_lately[candidates]
        + weights.price * _price_fit(context, candidates)
    ) / (weights.cart + weights.popularity + weights.price)
    return term


def _price_fit(context: Context, candidates: NDArray[np.int32]) -> Floats:
    usual = context.shopper.mean_unit_price
    if not usual > 0:
        in_cart = context.products.price[context.cart]
        in_cart = in_cart[in_cart > 0]
        usual = float(in_cart.mean(dtype=np.float64)) if in_cart.size else np.nan
    told = context.products.price[candidates].astype(np.float64)
    fit: Floats = np.minimum(told, usual) / np.maximum(told, usual)
    return np.where(told > 0, np.nan_to_num(fit, nan=HALF), HALF)


def _bounded(x: Floats) -> Floats:
    """Return x / (1 + x): 0 for 0, a half for 1, never above 1."""
    bounded: Floats = x / (1.0 + x)
    return bounded


def _sums(names: NDArray[Any], weight: Floats, wanted: NDArray[Any]) -> Floats:
    """Return float64[wanted], the sum of the weights beside each wanted name; 0 where it is not among the names."""
    if not names.size:
        return np.zeros(wanted.size)
    known, place = np.unique(names, return_inverse=True)
    position, found = locate(known, wanted)
    return np.where(found, np.bincount(place, weights=weight)[position], 0.0)
