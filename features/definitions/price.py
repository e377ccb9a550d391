"""The candidate's price: absolute, against the cart, against what the shopper usually pays; and its discounts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature

CHEAPEST = 0.01
"""Floor of a price below a quotient."""


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    products, shopper = context.products, context.shopper
    usual, saved = shopper.mean_unit_price, shopper.discount_share
    return _columns(products.price, products.stats.discount_share, context.cart, usual, saved, candidates)


@compiled
def _columns(
    price: NDArray[np.float32],
    discount: NDArray[np.float32],
    cart: NDArray[np.int32],
    usual: float,
    saved: float,
    candidates: NDArray[np.int32],
) -> NDArray[np.float32]:
    columns = np.empty((5, candidates.size), np.float32)
    total, known = 0.0, 0
    for row in cart:
        if not np.isnan(price[row]):
            total += price[row]
            known += 1
    in_cart = max(total / known, CHEAPEST) if known else np.nan
    paid = np.nan if np.isnan(usual) else max(usual, CHEAPEST)
    for n in range(candidates.size):
        row = candidates[n]
        columns[0, n] = np.log1p(price[row])
        columns[1, n], columns[2, n] = price[row] / in_cart, price[row] / paid
        columns[3, n], columns[4, n] = discount[row], discount[row] - saved
    return columns


FEATURE = Feature(
    columns={
        "price": "log(1 + price level); NaN if unknown",
        "price_to_cart": "price over the mean price in the cart; NaN if unknown",
        "price_to_usual": "price over what the shopper pays per unit; NaN if unknown",
        "discount_share": "how often it is sold at a discount; NaN if never sold",
        "discount_fit": "discount_share less the shopper's own share of money saved; NaN if unknown",
    },
    reads=frozenset({"cart", "shopper", "products"}),
    compute=_compute,
)
