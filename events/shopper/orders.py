"""Recent orders of one id: the newest ones, a bounded set by order id."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from events.contract import Event, Line
from events.newest import mark_of, newest


class CompletedOrder(msgspec.Struct, frozen=True, array_like=True):
    """An order as its event told it.

    Attributes:
        at: unix seconds. mark: of the event. order_id: the shop's, else the event's message id.
        lines: what was bought. value: money paid, None if not told. discount: money off. channel: None if not told.
    """

    at: float
    mark: str
    order_id: str
    lines: tuple[Line, ...]
    value: float | None = None
    discount: float = 0.0
    channel: str | None = None


class RecentOrders(msgspec.Struct, frozen=True, array_like=True):
    """The newest orders of one id, oldest first."""

    orders: tuple[CompletedOrder, ...] = ()

    def after(self, orders: Iterable[CompletedOrder], keep: int) -> RecentOrders:
        """Return the record after orders in any order; of one order id the latest word holds."""
        return RecentOrders(newest((*self.orders, *orders), keep, id_of, by_time))


def orders_of(events: Iterable[Event], most_lines: int) -> list[CompletedOrder]:
    """Return the orders that events tell of; of each at most `most_lines` lines."""
    return [
        CompletedOrder(
            event.occurred_at,
            mark_of(event.message_id),
            event.order.order_id if event.order else event.message_id,
            tuple(Line(line.product_id, line.quantity, line.price, line.discount) for line in event.lines[:most_lines]),
            event.order.value if event.order else None,
            event.order.discount if event.order else 0.0,
            event.context.get("channel"),
        )
        for event in events
        if is_order(event)
    ]


def is_order(event: Event) -> bool:
    """Return whether an event completes an order."""
    return event.kind == "track" and event.name == "Order Completed"


def id_of(order: CompletedOrder) -> str:
    """Return what tells orders apart."""
    return order.order_id


def by_time(order: CompletedOrder) -> tuple[float, str, str]:
    """Return what orders are sorted by, oldest first."""
    return order.at, order.mark, order.order_id
