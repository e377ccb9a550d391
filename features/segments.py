"""What sells to new, regular and lapsed shoppers: popular sets, shown when there is time for nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from configs.settings import FeatureSettings
from features.decay import DAY, decayed
from features.history import History
from features.top import top_rows

SEGMENTS = ("unknown", "new", "regular", "lapsed")
"""In the order of rows of a popular set; `ShopperState.segment` names the last three, unknown has no orders at all."""

MEANING = (
    "new: under 3 orders; lapsed: silent for over three usual gaps and 28 days; regular: all others; unknown: anybody"
)
"""What segments are, for whoever asks about one."""

MOST = 400
"""Products of a popular set: as many as a request may ask for and have in its cart, with some to spare."""

PRIOR_LINES = 200.0
"""A segment that bought so many lines lately counts as much as all shoppers together do."""


def popular_by_segment(history: History, as_of: int, features: FeatureSettings) -> NDArray[np.int32]:
    """Return int32[segments, n], the product rows in stock that sell best to each segment, best first.

    Lines are counted decayed, with the half-life of popularity; a segment's counts are shrunk towards everybody's. An
    unknown shopper is anybody. No place of sale is distinguished: orders do not tell the country, requests no store.

    Args:
        history: all orders; those at or after `as_of` (unix seconds) are not looked at.
    """
    known = history.before(as_of)
    size, in_stock = len(known.catalogue), known.catalogue.in_stock
    weight = decayed(np.ones(known.product.size), known.at[known.line_order], as_of, features.popularity_half_life_days)
    everybody = np.bincount(known.product, weights=weight, minlength=size)
    share = everybody / max(1e-9, float(everybody.sum()))
    of_line = segment_of_orders(known)[known.line_order]
    sets = []
    for place, _ in enumerate(SEGMENTS):
        theirs = np.bincount(known.product, weights=weight * (of_line == place), minlength=size)
        score = np.where(in_stock, theirs + PRIOR_LINES * share, -1.0)
        sets.append(top_rows(score, min(MOST, int(in_stock.sum()))))
    return np.array(sets, dtype=np.int32)


def segment_of_orders(history: History) -> NDArray[np.int8]:
    """Return int8[orders], the place in `SEGMENTS` of each order's shopper just before it."""
    order = np.argsort(history.shopper, kind="stable")  # by shopper, then by time
    shopper, at = history.shopper[order], history.at[order].astype(np.float64)
    first = np.flatnonzero(np.diff(shopper, prepend=-1))
    start = np.repeat(first, np.diff(np.append(first, shopper.size)))
    before = np.arange(shopper.size) - start
    last = at[np.maximum(np.arange(shopper.size) - 1, 0)]
    usual_gap = (last - at[start]) / np.maximum(before - 1, 1)
    silent = at - last > np.maximum(3 * usual_gap, 28 * DAY)
    place = np.where(before < 3, 1, np.where(silent, 3, 2))
    found = np.empty(shopper.size, dtype=np.int8)
    found[order] = place
    return found
