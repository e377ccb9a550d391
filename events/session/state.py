"""The session record, and what it says.

The record keeps the session's recent events in order of their own time; what is in the cart is a fold over them. So
any order and any number of deliveries gives the same record: duplicates fall out by message id, late events land where
their timestamp says. When the log grows past its limit the oldest half is folded into a base, which bounds the size;
an event older than the base is ignored.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal

import msgspec

from events.contract import Event, Line

Action = Literal["view", "add", "remove", "set", "clear"]

ACTIONS: dict[str, Action] = {
    "Product Viewed": "view",
    "Product Clicked": "view",
    "Product Added": "add",
    "Product Removed": "remove",
    "Cart Viewed": "set",
    "Checkout Started": "set",
    "Order Completed": "clear",
}
"""Track events that change the cart or the views; `set` without products changes nothing."""

Mark = tuple[float, str]
"""(unix seconds, message id): the total order of a session's events."""
START: Mark = (0.0, "")

NOTHING = 1e-9
"""Quantities up to here are none: 0.1 + 0.2 − 0.3 kg leaves 6e-17 kg."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one record: events in the log, cart lines, remembered views."""

    events: int
    products: int


class Change(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One event of the log, reduced to what a fold needs."""

    at: float
    message_id: str
    action: Action
    lines: tuple[Line, ...]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """A value and the event that told it; of two the later one holds."""

    at: float
    message_id: str
    value: str


class SessionState(msgspec.Struct, frozen=True):
    """What is known of a session now.

    Attributes:
        session_id, shopper_id: shopper_id is None until some event told it.
        cart: product id → quantity, above 0. views: (product id, unix seconds), oldest first.
        checkout_step: last told. context: device, country, referrer. last_event_at: unix seconds, 0 if none.
    """

    session_id: str
    shopper_id: str | None = None
    cart: dict[str, float] = {}
    views: tuple[tuple[str, float], ...] = ()
    checkout_step: int | None = None
    context: dict[str, str] = {}
    last_event_at: float = 0.0


class SessionRecord(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a session.

    Attributes:
        base_mark: the newest event that was folded into the base. base_cart, base_views: the fold up to there.
        log: later events, in order. told: shopper, step and context, each with the event that told it.
        last_event_at: unix seconds of the newest event of any kind.
    """

    base_mark: Mark = START
    base_cart: dict[str, float] = {}
    base_views: tuple[tuple[str, float], ...] = ()
    log: tuple[Change, ...] = ()
    told: dict[str, Told] = {}
    last_event_at: float = 0.0

    def apply(self, event: Event, limits: Limits) -> SessionRecord:
        """Return the record after an event, the same record if it changes nothing."""
        told = _merge(self.told, event)
        log, last = self.log, max(self.last_event_at, event.occurred_at)
        change = _change(event, limits)
        if change is not None and (change.at, change.message_id) > self.base_mark:
            log = _insert(log, change)
        record = msgspec.structs.replace(self, log=log, told=told, last_event_at=last)
        return record._compact(limits) if len(log) > limits.events else record

    def state(self, session_id: str, limits: Limits) -> SessionState:
        """Return what the record says."""
        cart, views = _fold(self.base_cart, self.base_views, self.log, limits)
        told = {name: item.value for name, item in self.told.items()}
        step = told.pop("step", None)
        return SessionState(
            session_id=session_id,
            shopper_id=told.pop("shopper", None),
            cart=cart,
            views=views,
            checkout_step=None if step is None else int(step),
            context=told,
            last_event_at=self.last_event_at,
        )

    def _compact(self, limits: Limits) -> SessionRecord:
        keep = limits.events // 2
        old, log = self.log[:-keep], self.log[-keep:]
        cart, views = _fold(self.base_cart, self.base_views, old, limits)
        return msgspec.structs.replace(
            self, base_mark=(old[-1].at, old[-1].message_id), base_cart=cart, base_views=views, log=log
        )


def _change(event: Event, limits: Limits) -> Change | None:
    action = ACTIONS.get(event.name) if event.kind == "track" else None
    if action is None or (action == "set" and not event.lines):
        return None
    return Change(event.occurred_at, event.message_id, action, event.lines[: limits.products])


def _insert(log: tuple[Change, ...], change: Change) -> tuple[Change, ...]:
    if any(known.message_id == change.message_id for known in log):
        return log
    place = bisect_left(log, (change.at, change.message_id), key=lambda known: (known.at, known.message_id))
    return (*log[:place], change, *log[place:])


def _merge(told: dict[str, Told], event: Event) -> dict[str, Told]:
    values = dict(event.context)
    if event.shopper_id is not None:
        values["shopper"] = event.shopper_id
    if event.checkout_step is not None:
        values["step"] = str(event.checkout_step)
    merged = dict(told)
    for name, value in values.items():
        known = told.get(name)
        if known is None or (event.occurred_at, event.message_id) > (known.at, known.message_id):
            merged[name] = Told(event.occurred_at, event.message_id, value)
    return merged


def _fold(
    cart: dict[str, float], views: tuple[tuple[str, float], ...], log: tuple[Change, ...], limits: Limits
) -> tuple[dict[str, float], tuple[tuple[str, float], ...]]:
    cart, seen = dict(cart), dict(views)
    for change in log:
        if change.action == "view":
            for line in change.lines:
                seen.pop(line.product_id, None)
                seen[line.product_id] = change.at
        elif change.action in {"set", "clear"}:
            cart = {line.product_id: line.quantity for line in change.lines if line.quantity > NOTHING}
            cart = {} if change.action == "clear" else cart
        else:
            for line in change.lines:
                _count(cart, line, 1.0 if change.action == "add" else -1.0, limits.products)
    return cart, tuple(seen.items())[-limits.products :]


def _count(cart: dict[str, float], line: Line, sign: float, limit: int) -> None:
    quantity = cart.get(line.product_id, 0.0) + sign * line.quantity
    if quantity <= NOTHING:
        cart.pop(line.product_id, None)
    elif line.product_id in cart or len(cart) < limit:
        cart[line.product_id] = quantity
