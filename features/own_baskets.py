"""What a shopper's own past baskets say of the cart: which of them resemble it, and what else they held.

The scoring follows the personal part of PerNIR (Ariannezhad et al. 2023, WSDM), with likeness measured three ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.baskets import RecentBaskets
from features.decay import decayed
from features.lookup import distinct, locate, starts


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


@dataclass(frozen=True)
class _Lines:
    """The baskets' lines whose product is still in the catalogue: basket number, and index into `product`."""

    baskets: int
    product: NDArray[np.int32]
    basket: NDArray[np.intp]
    index: NDArray[np.intp]

    def per_basket(self, weight: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return float64[baskets], line weights summed."""
        return np.bincount(self.basket, weights=weight, minlength=self.baskets).astype(np.float64, copy=False)

    def per_product(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64[products], the weights of the baskets that hold each, summed."""
        total = np.bincount(self.index, weights=weight[self.basket], minlength=self.product.size)
        return total.astype(np.float64, copy=False)

    def share(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `per_product` as a share of all weight; zeros without any."""
        total = weight.sum()
        return self.per_product(weight) / total if total > 0 else np.zeros(self.product.size)


def own_baskets(
    baskets: RecentBaskets,
    rows: NDArray[np.int32],
    leaf: NDArray[np.int32],
    cart: NDArray[np.int32],
    *,
    now: float,
    half_life_days: float,
) -> OwnBaskets:
    """Return what the baskets say of the cart.

    Args:
        baskets: the shopper's newest baskets.
        rows: int32, the product row of each of `baskets.products`; -1 where the catalogue has it no more.
        leaf: int32[catalogue], leaf category code of each product row.
        cart: int32, ascending distinct product rows.
        now: unix seconds. half_life_days: decay of a basket's weight.
    """
    known = rows >= 0
    product, index = np.unique(rows[known], return_inverse=True)
    count = len(baskets)
    lines = _Lines(count, product.astype(np.int32), np.repeat(np.arange(count), baskets.size)[known], index)
    recency = decayed(np.ones(count), baskets.at, now, half_life_days)
    sizes = np.sqrt(np.maximum(baskets.size, 1) * max(1, cart.size))
    row_leaf = leaf[lines.product]
    in_cart = lines.per_basket(locate(cart, lines.product)[1][index])
    like_cart = lines.per_basket(locate(distinct(leaf[cart]), row_leaf)[1][index])
    like_size = np.minimum(baskets.size, cart.size) / np.maximum(np.maximum(baskets.size, cart.size), 1)
    weight = recency * in_cart / sizes
    ago, due, category_since = _rhythm(lines, row_leaf)
    return OwnBaskets(
        lines.product,
        lines.per_product(weight),
        lines.share(weight),
        lines.share(recency * like_cart / sizes),
        lines.share(recency * like_size),
        lines.per_product(recency * (in_cart > 0)) / np.maximum(lines.per_product(recency), 1e-12),
        ago,
        due,
        category_since,
        float(in_cart[-1] / max(1, baskets.size[-1])) if count else float("nan"),
    )


def _rhythm(
    lines: _Lines, leaf: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (baskets_ago, due, category_since) of every product; `leaf` is its category."""
    newest = np.zeros(lines.product.size, dtype=np.int64)
    oldest = newest.copy()
    newest[lines.index] = lines.basket  # baskets ascend, so the newest is written last
    oldest[lines.index[::-1]] = lines.basket[::-1]
    held = np.bincount(lines.index, minlength=lines.product.size)
    ago = (lines.baskets - 1 - newest).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        due = np.where(held > 1, (ago + 1) * (held - 1) / (newest - oldest), np.nan)
    return ago, due, _newer_with_leaf(lines, leaf)


def _newer_with_leaf(lines: _Lines, leaf: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return float64[products], baskets with the product's leaf category after the newest that holds the product."""
    if not lines.index.size:
        return np.empty(0)
    held = leaf[lines.index].astype(np.int64) * lines.baskets + lines.basket
    order = np.argsort(held, kind="stable")
    held = held[order]
    place = np.empty(held.size, dtype=np.int64)  # of each line among the distinct pairs of leaf and basket
    first = starts(held)
    place[order] = np.cumsum(first) - 1
    newest = np.empty(lines.product.size, dtype=np.int64)
    newest[lines.index] = place  # the newest line is written last
    pair_leaf = held[first] // lines.baskets
    group = starts(pair_leaf)
    last = np.append(np.flatnonzero(group)[1:], pair_leaf.size) - 1
    return (last[np.cumsum(group) - 1][newest] - newest).astype(np.float64)
