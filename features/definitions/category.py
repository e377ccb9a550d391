"""The candidate's leaf category: the shopper's affinity to it, and how much of it the cart holds already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature, or_else, rate_columns


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    keys = context.products.catalogue.category_keys
    table = context.shopper.categories
    half_life = context.products.features.repeat_half_life_days
    rate, days, known, row = rate_columns(table, keys[candidates], context.now, half_life)
    share = or_else(table.count[row], known, 0) / max(1, context.shopper.orders) if len(table) else rate
    in_cart = np.sort(keys[context.cart])
    first = np.searchsorted(in_cart, keys[candidates], side="left")
    last = np.searchsorted(in_cart, keys[candidates], side="right")
    return (rate, share, days, last - first)


FEATURE = Feature(
    columns={
        "category_rate": "decayed number of the shopper's orders with the category",
        "category_share": "share of the shopper's orders with the category",
        "category_days_since": "days since the shopper last bought from it; NaN if never",
        "category_in_cart": "products of the cart in the same category",
    },
    reads=frozenset({"shopper", "cart", "products", "now"}),
    compute=_compute,
)
