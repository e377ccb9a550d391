"""Orders of the last hours, on top of a shopper's materialized state: the bridge from live events to features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from events.shopper import CompletedOrder
from features.context import ProductMatrix
from features.shopper import Order, ShopperState


def with_live_orders(
    state: ShopperState, orders: Sequence[CompletedOrder], matrix: ProductMatrix, now: float
) -> ShopperState:
    """Return the state after the orders that are newer than it; the same state if there is none.

    Args:
        state: as materialized. orders: recent ones, oldest first. matrix: of the model that reads the state.
        now: unix seconds to rank for; later orders are left out.
    """
    for order in orders:
        if state.last_at < int(order.at) and order.at <= now:
            known = order_of(order, matrix)
            if known is not None:
                state = state.update(known, matrix.features)
    return state


def order_of(order: CompletedOrder, matrix: ProductMatrix) -> Order | None:
    """Return a live order as features read it; None if the catalogue knows none of its products.

    Lines of one product are added up. A price that was not told is the product's price level. What was paid per unit is
    the price less the line's discount.
    """
    quantity: dict[int, float] = {}
    paid: dict[int, float] = {}
    saved: dict[int, float] = {}
    for line in order.lines:
        row = matrix.row_of.get(line.product_id)
        if row is None or line.quantity <= 0:
            continue
        price = line.price if line.price is not None else float(np.nan_to_num(matrix.price[row]))
        quantity[row] = quantity.get(row, 0.0) + line.quantity
        paid[row] = paid.get(row, 0.0) + max(0.0, price * line.quantity - line.discount)
        saved[row] = saved.get(row, 0.0) + line.discount
    if not quantity:
        return None
    catalogue = matrix.catalogue
    rows = np.array(sorted(quantity, key=lambda row: int(catalogue.keys[row])), dtype=np.int64)
    units = np.array([quantity[row] for row in rows.tolist()])
    return Order(
        at=int(order.at),
        products=catalogue.keys[rows],
        categories=catalogue.category_keys[rows],
        brands=catalogue.brand_keys[rows],
        quantity=units,
        unit_price=np.array([paid[row] for row in rows.tolist()]) / units,
        discount=np.array([saved[row] for row in rows.tolist()]),
    )
