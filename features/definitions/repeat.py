"""The shopper's own purchases of the candidate: how often, how lately, and whether it is due again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature, rhythm


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    table, rate = context.shopper.products, context.product_rate
    rows, slot, orders = context.product_rows, context.products.slot, max(1, context.shopper.orders)
    return _columns(rows, rate, table.count, table.first_at, table.last_at, orders, context.now, candidates, slot)


@compiled
def _columns(
    rows: NDArray[np.int32],
    rate: NDArray[np.float64],
    count: NDArray[np.int64],
    first_at: NDArray[np.int64],
    last_at: NDArray[np.int64],
    orders: int,
    now: float,
    candidates: NDArray[np.int32],
    slot: NDArray[np.int32],
) -> NDArray[np.float32]:
    columns = np.zeros((6, candidates.size), np.float32)
    columns[3:] = np.nan
    for place in range(rows.size):
        if rows[place] >= 0:
            slot[rows[place]] = place + 1
    for n in range(candidates.size):
        place = slot[candidates[n]] - 1
        if place >= 0:
            columns[0, n], columns[1, n], columns[2, n] = rate[place], count[place], count[place] / orders
            columns[3, n], columns[4, n], columns[5, n] = rhythm(count[place], first_at[place], last_at[place], now)
    for row in rows:
        if row >= 0:
            slot[row] = 0
    return columns


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
