"""The situation: what kind of basket and shopper this is. Equal for all candidates, useful in interaction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Columns, Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    shopper = context.shopper
    since = max(context.now - shopper.last_at, 0.0) / 86_400 if shopper.orders else np.nan
    price = context.products.price[context.cart]
    value = float(np.where(np.isnan(price), 0.0, price).sum(dtype=np.float64))
    return (context.cart.size, context.cart.size / shopper.mean_basket_products, value, shopper.orders, since)


FEATURE = Feature(
    columns={
        "cart_products": "distinct products in the cart",
        "cart_to_usual": "cart products over the shopper's mean basket; NaN without orders",
        "cart_value": "summed price level of the cart's products, those without a price left out",
        "shopper_orders": "completed orders of the shopper",
        "shopper_days_since": "days since the shopper's newest order; NaN without orders",
    },
    reads=frozenset({"cart", "shopper", "now"}),
    compute=_compute,
)
