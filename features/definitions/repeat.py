"""The shopper's own purchases of the candidate: how often, how lately, and whether it is due again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import SHORTEST_GAP_DAYS, Feature, gap_days, or_else, rate_columns


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    table, shopper = context.shopper.products, context.shopper
    keys = context.products.catalogue.keys[candidates]
    rate, days, known, row = rate_columns(table, context.product_rate, keys, context.now)
    if not len(table):
        return (rate, np.zeros(candidates.size), np.zeros(candidates.size), days, days, days)
    count = or_else(table.count[row], known, 0)
    gap = gap_days(table, row, known)
    due = days / np.maximum(gap, SHORTEST_GAP_DAYS)
    return (rate, count, count / max(1, shopper.orders), days, gap, due)


FEATURE = Feature(
    columns={
        "repeat_rate": "decayed number of the shopper's orders with the product",
        "repeat_count": "number of the shopper's orders with the product",
        "repeat_share": "share of the shopper's orders with the product",
        "repeat_days_since": "days since the shopper last bought it; NaN if never",
        "repeat_gap_days": "mean days between the shopper's purchases of it; NaN below two",
        "repeat_due": "days since over mean gap: near 1 is due; NaN below two purchases",
    },
    reads=frozenset({"shopper", "products", "now"}),
    compute=_compute,
)
