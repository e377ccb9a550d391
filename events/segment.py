"""Segment's HTTP tracking calls as types: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api

Fields we do not use are ignored, and what a call says in its own words (`properties`, `traits`) is decoded only where
we use it, so that any existing client can point here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from events.contract import MAX_ID, Line, OrderFacts

Text = Annotated[str, Meta(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00-\x1f]+$(?!\n)")]
"""No control characters; `$` alone would let a newline at the end pass."""

Id = Text | Annotated[int, Meta(ge=0)]
"""Clients send numeric ids too; they become text."""
Word = Annotated[str, Meta(max_length=MAX_ID, pattern=r"^[^\x00-\x1f]*$(?!\n)")] | Annotated[int, Meta(ge=0)]
"""What many clients send as "" instead of leaving it out."""
Amount = Annotated[float, Meta(ge=0, le=1e9)]
Place = Annotated[int, Meta(ge=0, le=1_000_000)]
MAX_LINES = 1_000
MAX_CALLS = 2_500
"""Most calls of one batch, as in Segment's API."""

NOTHING = Raw(b"null")

PRODUCT_EVENTS = frozenset({"Product Viewed", "Product Added", "Product Removed", "Product Clicked"})
"""Track events that concern one product, which they must name."""
LIST_EVENTS = frozenset({"Product List Viewed", "Cart Viewed", "Checkout Started", "Order Completed", "Order Refunded"})
"""Track events about several products."""
STEP_EVENTS = frozenset({"Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered"})
"""Track events that tell how far the checkout is."""
ORDER_COMPLETED, ORDER_REFUNDED = "Order Completed", "Order Refunded"
ORDER_EVENTS = frozenset({ORDER_COMPLETED, ORDER_REFUNDED})
"""Track events about one order, which they must name. A refund without products is of the whole order."""
EVENTS = PRODUCT_EVENTS | LIST_EVENTS | STEP_EVENTS
"""Track events whose properties are read. Of all others only that they happened counts: their properties are free."""


class Product(msgspec.Struct):
    """A product of a call's properties; discount is money off the line."""

    product_id: Id
    quantity: Amount | None = None
    price: Amount | None = None
    discount: Amount | None = None
    position: Place | None = None

    def line(self) -> Line:
        """Return it as a line of an event."""
        return _line(self.product_id, self.quantity, self.price, self.discount, self.position)


class Properties(msgspec.Struct):
    """Properties of a track call, as the e-commerce spec (v2) names them, and the `request_id` of our answers."""

    product_id: Id | None = None
    quantity: Amount | None = None
    price: Amount | None = None
    discount: Amount | None = None
    position: Place | None = None
    products: Annotated[list[Product], Meta(max_length=MAX_LINES)] | None = None
    step: Annotated[int, Meta(ge=0, le=100)] | None = None
    order_id: Id | None = None
    total: Amount | None = None
    revenue: Amount | None = None
    value: Amount | None = None
    currency: Word | None = None
    coupon: Word | None = None
    list_id: Word | None = None
    request_id: Word | None = None

    def lines(self, name: str) -> tuple[Line, ...]:
        """Return the products that an event of this name concerns; empty if it tells none."""
        if name not in PRODUCT_EVENTS:
            return tuple(product.line() for product in self.products or ())
        if self.product_id is None:
            return ()
        return (_line(self.product_id, self.quantity, self.price, self.discount, self.position),)

    def order(self) -> OrderFacts | None:
        """Return what is said of the order; None without an order id."""
        if self.order_id is None:
            return None
        paid = next((amount for amount in (self.total, self.revenue, self.value) if amount is not None), None)
        return OrderFacts(str(self.order_id), paid, self.discount or 0.0, word(self.currency), word(self.coupon))


class Device(msgspec.Struct):
    """Device of a call's context."""

    type: str | None = None


class Location(msgspec.Struct):
    """Location of a call's context."""

    country: str | None = None
    region: str | None = None


class Page(msgspec.Struct):
    """Page of a call's context."""

    referrer: str | None = None
    url: str | None = None


class CallContext(msgspec.Struct, rename="camel"):
    """Context of a call."""

    session_id: Id | None = None
    channel: str | None = None
    device: Device | None = None
    location: Location | None = None
    page: Page | None = None


class Call(msgspec.Struct, rename="camel"):
    """A track, identify or other call; `params` is GA4's word for properties."""

    type: str | None = None
    event: Annotated[str, Meta(min_length=1, max_length=MAX_ID)] | None = None
    user_id: Id | None = None
    anonymous_id: Id | None = None
    previous_id: Id | None = None
    message_id: Text | None = None
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    channel: str | None = None
    properties: Raw = NOTHING
    params: Raw = NOTHING
    traits: Raw = NOTHING
    context: CallContext | None = None


class Batch(msgspec.Struct, rename="camel"):
    """A batch of calls, each decoded on its own so that an error names its index; `context` is the calls' default."""

    batch: Annotated[list[Raw], Meta(min_length=1, max_length=MAX_CALLS)]
    sent_at: datetime | None = None
    context: CallContext | None = None


def word(value: str | int | None) -> str | None:
    """Return a word as text, None if there is none."""
    return None if value is None or value == "" else str(value)


def _line(
    product_id: str | int, quantity: float | None, price: float | None, discount: float | None, position: int | None
) -> Line:
    return Line(str(product_id), 1.0 if quantity is None else quantity, price, discount or 0.0, position)
