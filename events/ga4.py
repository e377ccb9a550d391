"""The e-commerce events of Google Analytics 4 as Segment's:
https://developers.google.com/analytics/devguides/collection/ga4/reference/events

| GA4 | Segment | | GA4 parameter | Segment property |
|---|---|---|---|---|
| `view_item` | Product Viewed | | `items[].item_id` | `product_id` |
| `add_to_cart` | Product Added | | `items[].price` | `price` |
| `remove_from_cart` | Product Removed | | `items[].quantity` | `quantity` |
| `view_cart` | Cart Viewed | | `items[].discount`, of one | `discount`, of the line |
| `begin_checkout` | Checkout Started | | `items[].index`, from 0 | `position`, from 1 |
| `purchase` | Order Completed | | `transaction_id` | `order_id` |
| `view_item_list` | Product List Viewed | | `item_list_id` | `list_id` |
| `select_item` | Product Clicked | | `value`, `currency`, `coupon` | the same |
| `refund` | Order Refunded | | | |
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from events.contract import Line, OrderFacts
from events.segment import MAX_LINES, Amount, Id, Place, Word, word

NAMES = {
    "view_item": "Product Viewed",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "view_cart": "Cart Viewed",
    "begin_checkout": "Checkout Started",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "view_item_list": "Product List Viewed",
    "select_item": "Product Clicked",
}
"""Segment's name of each GA4 event."""


class Item(msgspec.Struct):
    """An item; `discount` is money off one of them, `index` counts from 0."""

    item_id: Id
    quantity: Amount | None = None
    price: Amount | None = None
    discount: Amount | None = None
    index: Place | None = None

    def line(self) -> Line:
        """Return it as a line of an event."""
        quantity = 1.0 if self.quantity is None else self.quantity
        position = None if self.index is None else self.index + 1
        return Line(str(self.item_id), quantity, self.price, quantity * (self.discount or 0.0), position)


class Params(msgspec.Struct):
    """Parameters of a GA4 event."""

    items: Annotated[list[Item], Meta(max_length=MAX_LINES)] | None = None
    transaction_id: Id | None = None
    value: Amount | None = None
    currency: Word | None = None
    coupon: Word | None = None
    item_list_id: Word | None = None
    request_id: Word | None = None

    step = None
    """GA4 tells no number of the checkout step."""

    @property
    def list_id(self) -> str | int | None:
        """Segment's name of the list."""
        return self.item_list_id

    def lines(self, _: str) -> tuple[Line, ...]:
        """Return the items as lines."""
        return tuple(item.line() for item in self.items or ())

    def order(self) -> OrderFacts | None:
        """Return what is said of the order; None without a transaction id."""
        if self.transaction_id is None:
            return None
        discount = sum(line.discount for line in self.lines(""))
        return OrderFacts(str(self.transaction_id), self.value, discount, word(self.currency), word(self.coupon))
