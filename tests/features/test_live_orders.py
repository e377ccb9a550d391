"""Orders of the last hours, folded at request time, make the state that a nightly build would make of them."""

from __future__ import annotations

import numpy as np
import pytest

from configs import Settings
from events.contract import Line
from events.shopper import CompletedOrder
from features.history import History, load_history
from features.live_orders import order_of, with_live_orders
from features.records import to_record
from features.shopper import ShopperState, fold
from training.package import ModelPackage


@pytest.fixture(scope="module")
def history(built_shop: Settings) -> History:
    return load_history(built_shop.work.data)


def told(history: History, order: int) -> CompletedOrder:
    """Return an order of the history as its Order Completed event would have told it: prices before discounts."""
    rows = range(int(history.start[order]), int(history.start[order + 1]))
    lines = tuple(
        Line(
            history.catalogue.ids[int(history.product[row])],
            float(history.quantity[row]),
            float(history.unit_price[row] + history.discount[row] / history.quantity[row]),
            float(history.discount[row]),
        )
        for row in rows
    )
    return CompletedOrder(float(history.at[order]), "m", history.order_ids[order], lines)


def test_a_state_with_live_orders_on_top_is_the_fold_of_all_orders(
    history: History, built_shop: Settings, package: ModelPackage
) -> None:
    who = int(np.bincount(history.shopper).argmax())
    orders = np.flatnonzero(history.shopper == who).tolist()
    old = fold((history.order(order) for order in orders[:-3]), built_shop.features)
    live = [told(history, order) for order in orders]
    now = float(history.at[orders[-1]])
    expected = to_record(fold((history.order(order) for order in orders), built_shop.features))
    found = to_record(with_live_orders(old, live, package.matrix, now))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value) if isinstance(value, float) else value), name


def test_nothing_newer_changes_nothing_and_the_future_is_not_looked_at(
    history: History, package: ModelPackage, regular: ShopperState
) -> None:
    order = told(history, len(history) - 1)
    assert with_live_orders(regular, [], package.matrix, 1e12) is regular
    assert with_live_orders(regular, [told(history, 0)], package.matrix, 1e12) is regular
    assert with_live_orders(regular, [order], package.matrix, order.at - 1) is regular


def test_products_that_nobody_knows_are_left_out_and_an_order_of_them_alone_is_none(package: ModelPackage) -> None:
    known = package.products.ids[0]
    order = order_of(CompletedOrder(1.0, "m", "o", (Line("unheard of"), Line(known, 2.0, 3.0))), package.matrix)
    assert order is not None
    assert order.products.tolist() == [package.matrix.catalogue.keys[0]]
    assert order_of(CompletedOrder(1.0, "m", "o", (Line("unheard of"), Line(known, 0.0))), package.matrix) is None


def test_lines_of_one_product_are_added_up_and_an_untold_price_is_the_products_level(package: ModelPackage) -> None:
    known = package.products.ids[0]
    lines = (Line(known, 1.0, 4.0, 1.0), Line(known, 3.0, 2.0, 0.0))
    order = order_of(CompletedOrder(1.0, "m", "o", lines), package.matrix)
    assert order is not None
    assert (order.quantity[0], order.unit_price[0], order.discount[0]) == (4.0, (3.0 + 6.0) / 4, 1.0)
    untold = order_of(CompletedOrder(1.0, "m", "o", (Line(known),)), package.matrix)
    assert untold is not None
    assert untold.unit_price[0] == pytest.approx(float(package.matrix.price[0]))
