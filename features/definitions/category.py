"""The candidate's leaf category: the shopper's affinity to it, and how much of it the cart holds already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature, rhythm
from features.lookup import search


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    shopper, products = context.shopper, context.products
    table = shopper.categories
    rates = table.at(context.now, products.features.repeat_half_life_days)
    bought = _purchases(
        table.keys,
        rates,
        table.count,
        table.first_at,
        table.last_at,
        max(1, shopper.orders),
        context.now,
        products.catalogue.category_keys,
        candidates,
    )
    leaf = products.catalogue.levels.leaf
    own = _of_product(context.product_rows, context.product_rate, leaf, context.cart, candidates, products.totals)
    return (*bought, own[0] / np.maximum(bought[0], 1e-6), own[1])


@compiled
def _purchases(
    keys: NDArray[np.int64],
    rate: NDArray[np.float64],
    count: NDArray[np.int64],
    first_at: NDArray[np.int64],
    last_at: NDArray[np.int64],
    orders: int,
    now: float,
    category: NDArray[np.int64],
    candidates: NDArray[np.int32],
) -> NDArray[np.float64]:
    columns = np.zeros((4, candidates.size))
    columns[2:] = np.nan
    for n in range(candidates.size):
        place = search(keys, category[candidates[n]])
        if place >= 0:
            days, _, due = rhythm(count[place], first_at[place], last_at[place], now)
            columns[0, n], columns[1, n] = rate[place], count[place] / orders
            columns[2, n], columns[3, n] = days, due
    return columns


@compiled
def _of_product(
    rows: NDArray[np.int32],
    rate: NDArray[np.float64],
    leaf: NDArray[np.int32],
    cart: NDArray[np.int32],
    candidates: NDArray[np.int32],
    totals: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return float64[2, candidates]: the rate of the product itself, and the cart's products of its category."""
    columns = np.zeros((2, candidates.size))
    for place in range(rows.size):
        if rows[place] >= 0:
            totals[rows[place]] = rate[place]
    for n in range(candidates.size):
        columns[0, n] = totals[candidates[n]]
        for other in cart:
            columns[1, n] += leaf[other] == leaf[candidates[n]]
    for row in rows:
        if row >= 0:
            totals[row] = 0.0
    return columns


FEATURE = Feature(
    columns={
        "category_rate": "decayed number of the shopper's orders with the category",
        "category_share": "share of the shopper's orders with the category",
        "category_days_since": "days since the shopper last bought from it; NaN if never",
        "category_due": "days since over mean gap of purchases from it; NaN below two",
        "category_loyalty": "the product's part in the shopper's decayed orders of the category; 0 if never",
        "category_in_cart": "products of the cart in the same category",
    },
    reads=frozenset({"shopper", "cart", "products", "now"}),
    compute=_compute,
)
