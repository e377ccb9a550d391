"""What is known of a shopper from completed orders: bounded state, changed by one function, `update`.

Offline, the state at time t is the fold of `update` over the orders before t. Online the same record lies in the
feature store. Both are read by the same feature functions (`features.definitions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from configs.settings import FeatureSettings
from features.baskets import RecentBaskets
from features.rates import RateTable


@dataclass(frozen=True, slots=True)
class Order:
    """One completed order, its lines as parallel arrays.

    Attributes:
        at: unix seconds.
        products: int64 keys, ascending and distinct, one a line.
        categories: int64 keys of the products' leaf categories, per line.
        brands: int64 keys of the products' brands, per line; 0 where the brand is unknown.
        quantity: float64 units; unit_price: float64 money paid per unit; discount: float64 money off the line.
    """

    at: int
    products: NDArray[np.int64]
    categories: NDArray[np.int64]
    brands: NDArray[np.int64]
    quantity: NDArray[np.float64]
    unit_price: NDArray[np.float64]
    discount: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ShopperState:
    """A shopper's purchase record.

    Attributes:
        orders: completed orders. first_at, last_at: unix seconds of the first and newest; 0 without orders.
        lines: distinct products summed over orders. units: units bought. paid: money paid. saved: money off.
        products, categories, brands: decayed purchase rates (see `RateTable`).
        baskets: the newest orders' products, order by order.
    """

    orders: int = 0
    first_at: int = 0
    last_at: int = 0
    lines: int = 0
    units: float = 0.0
    paid: float = 0.0
    saved: float = 0.0
    products: RateTable = field(default_factory=RateTable.empty)
    categories: RateTable = field(default_factory=RateTable.empty)
    brands: RateTable = field(default_factory=RateTable.empty)
    baskets: RecentBaskets = field(default_factory=RecentBaskets.empty)

    @classmethod
    def empty(cls) -> ShopperState:
        """Return the state of a shopper who is not known."""
        return cls()

    def update(self, order: Order, features: FeatureSettings) -> ShopperState:
        """Return the state after `order`, which is not older than any order folded before."""
        half_life, limit = features.repeat_half_life_days, features.max_shopper_products
        brands = np.unique(order.brands)
        return replace(
            self,
            orders=self.orders + 1,
            first_at=self.first_at if self.orders else order.at,
            last_at=order.at,
            lines=self.lines + int(order.products.size),
            units=self.units + float(order.quantity.sum()),
            paid=self.paid + float((order.quantity * order.unit_price).sum()),
            saved=self.saved + float(order.discount.sum()),
            products=self.products.update(order.products, order.at, half_life, limit),
            categories=self.categories.update(np.unique(order.categories), order.at, half_life, limit),
            brands=self.brands.update(brands[brands != 0], order.at, half_life, limit),
            baskets=self.baskets.update(order.products, order.at, features.max_shopper_basket_products),
        )

    @property
    def mean_unit_price(self) -> float:
        """Money paid per unit; NaN without orders."""
        return self.paid / self.units if self.units > 0 else float("nan")

    @property
    def mean_basket_value(self) -> float:
        """Money paid per order; NaN without orders."""
        return self.paid / self.orders if self.orders else float("nan")

    @property
    def mean_basket_products(self) -> float:
        """Distinct products per order; NaN without orders."""
        return self.lines / self.orders if self.orders else float("nan")

    @property
    def discount_share(self) -> float:
        """Price sensitivity: money saved by discounts as a share of the undiscounted total; NaN without orders."""
        total = self.paid + self.saved
        return self.saved / total if total > 0 else float("nan")

    def segment(self, now: float) -> str:
        """Return new (under 3 orders), lapsed (silent for over three usual gaps and 28 days), or regular."""
        if self.orders < 3:
            return "new"
        usual_gap = (self.last_at - self.first_at) / (self.orders - 1)
        return "lapsed" if now - self.last_at > max(3 * usual_gap, 28 * 86_400) else "regular"


def fold(orders: Iterable[Order], features: FeatureSettings) -> ShopperState:
    """Return the state after `orders`, given oldest first."""
    state = ShopperState.empty()
    for order in orders:
        state = state.update(order, features)
    return state
