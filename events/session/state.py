"""What a session record says, for readers: the cart with its value, views, stays, recent activity."""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

import msgspec

from events.contract import Line
from events.session.record import SessionRecord

NOTHING = 1e-9
"""Quantities up to here are none: 0.1 + 0.2 − 0.3 kg leaves 6e-17 kg."""


What = Literal["view", "add", "remove"]
"""What happens to a product in a session."""


class Activity(msgspec.Struct, frozen=True):
    """Something that happened to a product, oldest first in lists of them.

    Attributes:
        at: unix seconds. what: view, add or remove.
        seconds: of a view, until the next event of the session, at most the given cap; None while there is none.
    """

    at: float
    what: What
    product_id: str
    quantity: float = 1.0
    seconds: float | None = None


class SessionState(msgspec.Struct, frozen=True):
    """What is known of a session now.

    Attributes:
        session_id, shopper_id: shopper_id is None until some event told it.
        cart: product id → quantity, above 0. prices, discounts: product id → money per unit, money off the line, as
            last told; of the cart's products, where told.
        views: (product id, unix seconds of its newest view), oldest first.
        checkout_step: last told. context: device, country, region, referrer, channel, as far as told.
        first_event_at, last_event_at: unix seconds, 0 if none.
        anonymous_ids, orders: ids, the newest last.
    """

    session_id: str
    shopper_id: str | None = None
    cart: dict[str, float] = {}
    prices: dict[str, float] = {}
    discounts: dict[str, float] = {}
    views: tuple[tuple[str, float], ...] = ()
    checkout_step: int | None = None
    context: dict[str, str] = {}
    first_event_at: float = 0.0
    last_event_at: float = 0.0
    anonymous_ids: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """Money for the cart before discounts; lines without a told price count nothing."""
        return sum(quantity * self.prices.get(product, 0.0) for product, quantity in self.cart.items())

    @property
    def discount(self) -> float:
        """Money off the cart."""
        return sum(self.discounts.values())


def state_of(record: SessionRecord, session_id: str) -> SessionState:
    """Return what a record says."""
    cart, prices, discounts = _cart(record)
    seen: dict[str, float] = {}
    for view in record.views:
        seen.pop(view.product_id, None)
        seen[view.product_id] = view.at
    facts = {name: told.value for name, told in record.facts.items()}
    step = facts.pop("step", None)
    return SessionState(
        session_id,
        facts.pop("shopper", None),
        cart,
        prices,
        discounts,
        tuple(seen.items()),
        None if step is None else int(step),
        facts,
        record.first_event_at,
        record.last_event_at,
        tuple(told.value for told in record.anonymous_ids),
        tuple(told.value for told in record.orders),
    )


def activity_of(record: SessionRecord, longest_stay: float) -> list[Activity]:
    """Return what the record knows of recent views and cart changes, oldest first.

    Args:
        record: of the session.
        longest_stay: most seconds that a shopper is taken to look at one product.
    """
    moments = sorted({*record.moments, *(view.at for view in record.views)})
    found = [
        Activity(view.at, "view", view.product_id, 1.0, _stay(view.at, moments, longest_stay)) for view in record.views
    ]
    found += [
        Activity(change.at, "add" if change.quantity >= 0 else "remove", change.product_id, abs(change.quantity))
        for change in record.changes
    ]
    return sorted(found, key=lambda item: item.at)


def recent_of(record: SessionRecord) -> list[tuple[str, float, What]]:
    """Return (product id, unix seconds, what) of the views and of each product's newest cart change, in any order.

    What lies before the session's newest order is over with it. Of a product put in and taken out again only the
    latter is told: the shopper has changed their mind.
    """
    since = record.orders[-1].at if record.orders else 0.0
    found: list[tuple[str, float, What]] = [
        (view.product_id, view.at, "view") for view in record.views if view.at > since
    ]
    changed = {change.product_id: change for change in record.changes if change.at > since}  # the newest comes last
    found += [(name, change.at, "add" if change.quantity >= 0 else "remove") for name, change in changed.items()]
    return found


def dwell_of(record: SessionRecord, longest_stay: float) -> dict[str, float]:
    """Return product id → seconds spent on its page, over its remembered views."""
    seconds: dict[str, float] = {}
    for item in activity_of(record, longest_stay):
        if item.seconds is not None:
            seconds[item.product_id] = seconds.get(item.product_id, 0.0) + item.seconds
    return seconds


def _stay(at: float, moments: list[float], longest: float) -> float | None:
    following = bisect_right(moments, at)
    return None if following == len(moments) else min(moments[following] - at, longest)


def _cart(record: SessionRecord) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    cart: dict[str, float] = {}
    prices: dict[str, float] = {}
    discounts: dict[str, float] = {}
    for line in record.snapshot.lines if record.snapshot else ():
        _count(cart, prices, discounts, line)
    for change in record.changes:
        _count(cart, prices, discounts, Line(change.product_id, change.quantity, change.price, change.discount))
    return cart, {p: prices[p] for p in cart if p in prices}, {p: discounts[p] for p in cart if p in discounts}


def _count(cart: dict[str, float], prices: dict[str, float], discounts: dict[str, float], line: Line) -> None:
    quantity = cart.get(line.product_id, 0.0) + line.quantity
    if quantity <= NOTHING:
        cart.pop(line.product_id, None)
        discounts.pop(line.product_id, None)
        return
    cart[line.product_id] = quantity
    if line.price is not None:
        prices[line.product_id] = line.price
    if line.discount:
        discounts[line.product_id] = line.discount
