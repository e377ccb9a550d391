"""The candidate's price: absolute, against the cart, against what the shopper usually pays; and its discounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    price = context.products.price[candidates]
    in_cart = context.products.price[context.cart]
    in_cart = in_cart[~np.isnan(in_cart)]
    cart_mean = float(in_cart.mean(dtype=np.float64)) if in_cart.size else np.nan
    discount = context.products.stats.discount_share[candidates]
    usual = context.shopper.mean_unit_price
    return (
        np.log1p(price),
        price / max(cart_mean, 0.01) if not np.isnan(cart_mean) else np.nan,
        price / max(usual, 0.01) if not np.isnan(usual) else np.nan,
        discount,
        discount - context.shopper.discount_share,
    )


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
