"""What orders say of each product at a moment: popularity, trend, price level, promotion. Vectorised over products."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from configs.settings import FeatureSettings
from features.decay import DAY, decayed
from features.history import History


@dataclass(frozen=True)
class ProductStats:
    """Statistics of all products as of one moment; float32[products] each, in the catalogue's order.

    Attributes:
        orders: orders that held the product.
        popularity: decayed number of orders (slow half-life).
        trend: fast rate over slow rate, both per day: above 1 is rising; NaN if never sold.
        price: decayed mean paid unit price; NaN if never sold.
        discount_share: decayed share of its lines that carried a discount; NaN if never sold.
        days_since_sold: days since the newest order with it; NaN if never sold.
    """

    orders: NDArray[np.float32]
    popularity: NDArray[np.float32]
    trend: NDArray[np.float32]
    price: NDArray[np.float32]
    discount_share: NDArray[np.float32]
    days_since_sold: NDArray[np.float32]

    @classmethod
    def names(cls) -> list[str]:
        """Return the statistics' names in order."""
        return [item.name for item in fields(cls)]


def product_stats(history: History, as_of: int, features: FeatureSettings) -> ProductStats:
    """Return every product's statistics from the orders strictly before `as_of` (unix seconds)."""
    known = history.before(as_of)
    product, size = known.product, len(known.catalogue)
    at = known.at[known.line_order]
    one = np.ones(product.size)

    def total(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(product, weights=weight, minlength=size).astype(np.float64, copy=False)

    slow = total(decayed(one, at, as_of, features.popularity_half_life_days))
    fast = total(decayed(one, at, as_of, features.trend_half_life_days))
    weight = decayed(one, at, as_of, features.price_half_life_days)
    weighted = total(weight)
    newest = np.zeros(size)
    np.maximum.at(newest, product, at)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A rate per day is the decayed count over the half-life: the constant factor cancels in the ratio.
        trend = (fast / features.trend_half_life_days) / (slow / features.popularity_half_life_days)
        price = total(weight * known.unit_price) / weighted
        discount_share = total(weight * (known.discount > 0)) / weighted
    days_since = np.where(newest > 0, (as_of - newest) / DAY, np.nan)
    columns = (total(one), slow, trend, price, discount_share, days_since)
    return ProductStats(*(column.astype(np.float32) for column in columns))
