"""The shopper's own past baskets that resemble this cart: what else was in them, and whether it is due again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Columns, Feature, or_else

_ZERO_IF_NEVER = ("score", "share", "category_share", "size_share")
_UNKNOWN_IF_NEVER = ("given", "baskets_ago", "due", "category_since")


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    own = context.own_baskets
    missing = dict.fromkeys(_ZERO_IF_NEVER, 0.0) | dict.fromkeys(_UNKNOWN_IF_NEVER, np.nan)
    if not own.product.size:
        return (*(np.full(candidates.size, value) for value in missing.values()), own.newest_likeness)
    row, known = own.find(candidates)
    columns = (or_else(getattr(own, name)[row], known, value) for name, value in missing.items())
    return (*columns, own.newest_likeness)


FEATURE = Feature(
    columns={
        "own_baskets_score": "decayed likeness to the cart, summed over the shopper's baskets with the product",
        "own_baskets_share": "the same as a share of all the shopper's baskets' likeness",
        "own_baskets_category_share": "the same share, likeness being by leaf categories in common",
        "own_baskets_size_share": "the same share, likeness being by the number of products",
        "own_baskets_given": "share of the shopper's baskets with the product that hold any of the cart; NaN if none",
        "own_baskets_ago": "newer baskets since the shopper's newest one with the product; NaN if none",
        "own_baskets_due": "baskets since over mean gap in baskets: near 1 is due; NaN below two purchases",
        "own_category_since": "newer baskets of the shopper with the same leaf category; NaN if never bought",
        "own_newest_likeness": "share of the shopper's newest basket that lies in the cart; NaN without orders",
    },
    reads=frozenset({"cart", "shopper", "products", "now"}),
    compute=_compute,
)
