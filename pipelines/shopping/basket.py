"""A basket as what a shop's pages tell of it: names and properties of events, then calls with ids and times. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

SECONDS_BETWEEN_EVENTS = 5
CHECKOUT_STEP = 1
"""Told by the last event of a checkout: a state that knows it has seen all of them."""

Named = tuple[str, Mapping[str, Any]]
"""An event's name and properties."""


class Basket(Protocol):
    """A real basket of which a part is hidden; `placed_at` in unix seconds."""

    @property
    def order_id(self) -> str: ...
    @property
    def shopper_id(self) -> str: ...
    @property
    def placed_at(self) -> int: ...
    @property
    def cart(self) -> list[str]: ...
    @property
    def hidden(self) -> list[str]: ...


def checkout_of(products: Sequence[str]) -> Iterator[Named]:
    """Yield each product viewed and added, in ascending order of id, then the checkout and its first step."""
    for product in sorted(products):
        yield "Product Viewed", {"product_id": product}
        yield "Product Added", {"product_id": product, "quantity": 1}
    yield "Checkout Started", {}
    yield "Checkout Step Viewed", {"step": CHECKOUT_STEP}


def line_up(named: Sequence[Named], who: Mapping[str, Any], first: int, ends_at: float, seconds: float) -> list[Any]:
    """Return track calls, `seconds` apart, the last of them at `ends_at` (unix seconds).

    Args:
        named: in their order. who: ids and context of each call; its anonymous id starts the message ids.
        first: number of the first call's message id.
    """
    calls = []
    for place, (event, properties) in enumerate(named):
        at = ends_at - seconds * (len(named) - 1 - place)
        message = {"messageId": f"{who['anonymousId']}-{first + place}", "timestamp": rfc3339(at)}
        calls.append({"type": "track", "event": event, "properties": properties} | dict(who) | message)
    return calls


def rfc3339(seconds: float) -> str:
    """Return a moment (unix seconds) as text, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
