"""What a shopper's own past baskets say of the cart: which of them resemble it, and what else they held.

The scoring follows the personal part of PerNIR (Ariannezhad et al. 2023, WSDM), with likeness measured three ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.baskets import RecentBaskets
from features.compiled import compiled
from features.decay import decayed
from features.lookup import locate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OwnBaskets:
    """One row a product that lies in any of the shopper's newest baskets, ascending.

    A basket counts by its decay and its likeness to the cart. Shares are of all baskets' weight, 0 when no basket
    has any.

    Attributes:
        product: int32[n], product row.
        score, share: float64[n], weight of the baskets that hold the product, likeness being the products in common
            with the cart over the root of both sizes' product; and its share.
        category_share: float64[n], likewise, counting the basket's products in any leaf category of the cart.
        size_share: float64[n], likewise, likeness being the smaller over the larger size.
        given: float64[n], share of its (decayed) baskets that hold anything of the cart.
        baskets_ago: float64[n], newer baskets since the newest that holds it; 0 is the last one.
        due: float64[n], baskets since the newest over the mean gap in baskets; NaN with a single one.
        category_since: float64[n], newer baskets that hold its leaf category: what it was replaced by.
        newest_likeness: share of the newest basket that lies in the cart; NaN without baskets.
    """

    product: NDArray[np.int32]
    score: NDArray[np.float64]
    share: NDArray[np.float64]
    category_share: NDArray[np.float64]
    size_share: NDArray[np.float64]
    given: NDArray[np.float64]
    baskets_ago: NDArray[np.float64]
    due: NDArray[np.float64]
    category_since: NDArray[np.float64]
    newest_likeness: float

    def find(self, products: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Locate products: (row, known), `row` being valid to index only if there is any row at all."""
        return locate(self.product, products)


def own_baskets(
    baskets: RecentBaskets,
    rows: NDArray[np.int32],
    leaf: NDArray[np.int32],
    cart: NDArray[np.int32],
    *,
    now: float,
    half_life_days: float,
    slot: NDArray[np.int32],
) -> OwnBaskets:
    """Return what the baskets say of the cart.

    Args:
        baskets: the shopper's newest baskets.
        rows: int32, the product row of each of `baskets.products`; -1 where the catalogue has it no more.
        leaf: int32[catalogue], leaf category code of each product row.
        cart: int32, ascending distinct product rows.
        now: unix seconds. half_life_days: decay of a basket's weight.
        slot: int32[catalogue], scratch of zeros, which it holds again afterwards.
    """
    recency = decayed(np.ones(len(baskets)), baskets.at, now, half_life_days)
    product = _number(rows, slot)
    held, in_cart, weights = _weigh(baskets.size, recency, rows, slot, product, leaf, cart)
    score, shares, given = _sums(baskets.size, rows, slot, product.size, weights)
    ago, due, since = _rhythm(baskets.size, rows, slot, leaf[product], held)
    slot[product] = 0
    newest = float(in_cart[-1] / max(1, baskets.size[-1])) if len(baskets) else float("nan")
    return OwnBaskets(product, score, shares[0], shares[1], shares[2], given, ago, due, since, newest)


@compiled
def _number(rows: NDArray[np.int32], slot: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the distinct known rows, ascending; `slot` of each becomes its place among them, from 1."""
    product = np.empty(rows.size, np.int32)
    found = 0
    for row in rows:
        if row >= 0 and slot[row] == 0:
            slot[row] = 1
            product[found] = row
            found += 1
    product = np.sort(product[:found])
    for place in range(found):
        slot[product[place]] = place + 1
    return product


@compiled
def _weigh(
    size: NDArray[np.int64],
    recency: Floats,
    rows: NDArray[np.int32],
    slot: NDArray[np.int32],
    product: NDArray[np.int32],
    leaf: NDArray[np.int32],
    cart: NDArray[np.int32],
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return (baskets with each product, products of each basket that lie in the cart, weights of each basket).

    The weights, float64[5, baskets]: recency times likeness by products, by leaf categories and by size; recency of
    baskets that hold any of the cart; and recency.
    """
    same, alike = np.zeros(product.size, np.bool_), np.zeros(product.size, np.bool_)
    for place in range(product.size):
        for row in cart:
            same[place] |= row == product[place]
            alike[place] |= leaf[row] == leaf[product[place]]
    held = np.zeros(product.size, np.int64)
    in_cart, weights = np.zeros(size.size), np.zeros((5, size.size))
    line = 0
    for basket in range(size.size):
        like_cart = 0
        for row in rows[line : line + size[basket]]:
            if row >= 0:
                held[slot[row] - 1] += 1
                in_cart[basket] += same[slot[row] - 1]
                like_cart += alike[slot[row] - 1]
        line += size[basket]
        sizes = np.sqrt(max(size[basket], 1) * max(cart.size, 1))
        weights[0, basket] = recency[basket] * in_cart[basket] / sizes
        weights[1, basket] = recency[basket] * like_cart / sizes
        weights[2, basket] = recency[basket] * min(size[basket], cart.size) / max(size[basket], cart.size, 1)
        weights[3, basket] = recency[basket] if in_cart[basket] > 0 else 0.0
        weights[4, basket] = recency[basket]
    return held, in_cart, weights


@compiled
def _sums(
    size: NDArray[np.int64], rows: NDArray[np.int32], slot: NDArray[np.int32], products: int, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return float64[products]: the first weights summed over the baskets with each product; the first three as
    shares, float64[3, products]; and the fourth over the fifth.
    """
    sums, total = np.zeros((5, products)), np.zeros(3)
    line = 0
    for basket in range(size.size):
        for row in rows[line : line + size[basket]]:
            if row >= 0:
                for kind in range(5):
                    sums[kind, slot[row] - 1] += weights[kind, basket]
        line += size[basket]
    for kind in range(3):
        total[kind] = weights[kind].sum()
    shares = np.zeros((3, products))
    for kind in range(3):
        if total[kind] > 0:
            shares[kind] = sums[kind] / total[kind]
    return sums[0].copy(), shares, sums[3] / np.maximum(sums[4], 1e-12)


@compiled
def _rhythm(
    size: NDArray[np.int64],
    rows: NDArray[np.int32],
    slot: NDArray[np.int32],
    leaf: NDArray[np.int32],
    held: NDArray[np.int64],
) -> tuple[Floats, Floats, Floats]:
    """Return (baskets_ago, due, category_since) of every product; `leaf` is its category."""
    ago, due, since = np.full(held.size, np.nan), np.full(held.size, np.nan), np.zeros(held.size)
    oldest = np.zeros(held.size, np.int64)
    categories = leaf.max() + 1 if leaf.size else 0
    newer, counted = np.zeros(categories, np.int64), np.full(categories, -1, np.int64)
    line = rows.size
    for basket in range(size.size - 1, -1, -1):
        first = line - size[basket]
        for row in rows[first:line]:
            place = slot[row] - 1 if row >= 0 else -1
            if place < 0:
                continue
            oldest[place] = basket
            if np.isnan(ago[place]):  # its newest basket
                ago[place] = size.size - 1 - basket
                since[place] = newer[leaf[place]]
        for row in rows[first:line]:
            if row >= 0 and counted[leaf[slot[row] - 1]] != basket:
                counted[leaf[slot[row] - 1]] = basket
                newer[leaf[slot[row] - 1]] += 1
        line = first
    for place in range(held.size):
        if held[place] > 1:
            between = size.size - 1 - ago[place] - oldest[place]
            due[place] = (ago[place] + 1) * (held[place] - 1) / between
    return ago, due, since
