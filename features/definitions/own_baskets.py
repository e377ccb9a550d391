"""The shopper's own past baskets that resemble this cart: what else was in them, and whether it is due again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    own, slot = context.own_baskets, context.products.slot
    shares = (own.score, own.share, own.category_share, own.size_share)
    rhythm = (own.given, own.baskets_ago, own.due, own.category_since)
    columns = _columns(own.product, *shares, *rhythm, candidates, slot)
    columns[-1] = own.newest_likeness
    return columns


@compiled
def _columns(
    product: NDArray[np.int32],
    score: NDArray[np.float64],
    share: NDArray[np.float64],
    category_share: NDArray[np.float64],
    size_share: NDArray[np.float64],
    given: NDArray[np.float64],
    baskets_ago: NDArray[np.float64],
    due: NDArray[np.float64],
    category_since: NDArray[np.float64],
    candidates: NDArray[np.int32],
    slot: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return float32[9, candidates], the last column being left open; never bought is 0 in the first four, else NaN."""
    columns = np.zeros((9, candidates.size), np.float32)
    columns[4:8] = np.nan
    for place in range(product.size):
        slot[product[place]] = place + 1
    for n in range(candidates.size):
        place = slot[candidates[n]] - 1
        if place >= 0:
            columns[0, n], columns[1, n] = score[place], share[place]
            columns[2, n], columns[3, n] = category_share[place], size_share[place]
            columns[4, n], columns[5, n] = given[place], baskets_ago[place]
            columns[6, n], columns[7, n] = due[place], category_since[place]
    for row in product:
        slot[row] = 0
    return columns


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
