"""The candidate's leaf category: the shopper's affinity to it, and how much of it the cart holds already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import SHORTEST_GAP_DAYS, Feature, gap_days, or_else, rate_columns


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    keys = context.products.catalogue.category_keys
    table = context.shopper.categories
    rates = table.at(context.now, context.products.features.repeat_half_life_days)
    rate, days, known, row = rate_columns(table, rates, keys[candidates], context.now)
    share = or_else(table.count[row], known, 0) / max(1, context.shopper.orders) if len(table) else rate
    leaf = context.products.catalogue.levels.leaf
    in_cart = np.bincount(leaf[context.cart], minlength=context.products.category_popularity.size)[leaf[candidates]]
    due = days / np.maximum(gap_days(table, row, known), SHORTEST_GAP_DAYS) if len(table) else days
    products = context.shopper.products
    product_keys = context.products.catalogue.keys[candidates]
    own, _, _, _ = rate_columns(products, context.product_rate, product_keys, context.now)
    return (rate, share, days, due, own / np.maximum(rate, 1e-6), in_cart)


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
