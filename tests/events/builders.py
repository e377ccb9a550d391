"""Builders of events, and the plain replay that session records are compared with."""

from __future__ import annotations

from collections.abc import Iterable

from configs import load_settings
from events.contract import Event, Line, OrderFacts

SETTINGS = load_settings()
EVENTS = SETTINGS.events
NOW = 1_700_000_000.0

ADDED = {"event": "Product Added", "anonymousId": "a", "properties": {"product_id": "p1"}}
"""A track call as clients send it."""


def event(
    name: str,
    *products: str,
    at: float = NOW,
    message: str = "m",
    session: str = "s",
    quantity: float = 1.0,
    shopper: str | None = None,
    step: int | None = None,
    price: float | None = None,
    discount: float = 0.0,
    context: dict[str, str] | None = None,
    anonymous: str | None = None,
    order: OrderFacts | None = None,
) -> Event:
    """Return a track event about products."""
    lines = tuple(Line(product, quantity, price, discount) for product in products)
    told = {} if context is None else context
    return Event(message, "track", name, session, shopper, at, lines, step, told, anonymous, order=order)


def identify(anonymous: str, shopper: str, *, at: float = NOW, message: str = "m", session: str = "s") -> Event:
    """Return the event by which an anonymous id turns out to be a shopper's."""
    return Event(message, "identify", "identify", session, shopper, at, anonymous_id=anonymous)


def alias(previous: str, shopper: str, *, at: float = NOW, message: str = "m", session: str = "s") -> Event:
    """Return the event by which an earlier id turns out to be a shopper's."""
    return Event(message, "alias", "alias", session, shopper, at, previous_id=previous)


def replayed_cart(events: Iterable[Event]) -> dict[str, float]:
    """Return the cart after each distinct event once, in order of time: nothing bounded, nothing folded."""
    cart: dict[str, float] = {}
    for item in sorted({item.message_id: item for item in events}.values(), key=in_time):
        if item.name == "Order Completed" or (item.name in {"Cart Viewed", "Checkout Started"} and item.lines):
            cart = {}
        sign = {"Product Removed": -1, "Product Added": 1, "Cart Viewed": 1, "Checkout Started": 1}.get(item.name, 0)
        for line in item.lines:
            cart[line.product_id] = max(0.0, cart.get(line.product_id, 0.0) + sign * line.quantity)
    return {product: quantity for product, quantity in cart.items() if quantity > 0}


def in_time(item: Event) -> tuple[float, str]:
    """Return where an event stands in its session: by time, then by message id."""
    return item.occurred_at, item.message_id
