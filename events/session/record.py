"""The session record: a bounded fold of a session's events that depends on which events came, not on when or how often.

Every part of it is a set of newest elements (`events.newest`), the latest word on something, or a maximum:

- the newest snapshot of the whole cart, and the newest changes of single lines after it;
- the newest views, and the moments of other events, which end the stay on a product's page;
- facts told, each by the latest event (the referrer by the earliest: that is where the shopper came from);
- ids that the session went by, and its newest orders.

What is too old for the bounds is gone for good. A cart is exact as long as it was changed at most `Limits.events`
times since it was last told as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Literal

import msgspec

from events.contract import Event, Line
from events.newest import Item, later, mark_of, newest

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

CONTEXT = ("device", "country", "region", "referrer", "channel")
"""What is kept of an event's context."""
LONGEST_FACT = 120
MOST_IDS = 4
"""Anonymous ids, and orders, remembered per session."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one record: cart changes and moments; lines of a snapshot, and views."""

    events: int
    products: int


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line put into the cart (quantity above 0) or taken out (below); `place` is its place in the event."""

    at: float
    mark: str
    place: int
    product_id: str
    quantity: float
    price: float | None
    discount: float


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The whole cart, as told at a moment."""

    at: float
    mark: str
    lines: tuple[Line, ...]


class View(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A product was looked at."""

    at: float
    mark: str
    product_id: str


class Told(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value and the event that told it."""

    at: float
    mark: str
    value: str


class SessionRecord(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a session.

    Attributes:
        first_event_at, last_event_at: unix seconds of the oldest and the newest event; 0 without events.
        facts: shopper, step and context, by name. snapshot, changes: the cart. views: oldest first.
        moments: unix seconds of the newest events that are no views, ascending.
        anonymous_ids, orders: ids, oldest first; each with the newest event that told it.
    """

    first_event_at: float = 0.0
    last_event_at: float = 0.0
    facts: dict[str, Told] = {}
    snapshot: Snapshot | None = None
    changes: tuple[Change, ...] = ()
    views: tuple[View, ...] = ()
    moments: tuple[float, ...] = ()
    anonymous_ids: tuple[Told, ...] = ()
    orders: tuple[Told, ...] = ()

    def after(self, events: Iterable[Event], limits: Limits) -> SessionRecord:
        """Return the record after events of this session, in any order."""
        new = _Arrivals(self)
        for event in events:
            new.take(event, limits)
        return SessionRecord(
            new.first,
            new.last,
            dict(sorted(new.facts.items())),
            new.snapshot,
            self._changes_after(new, limits),
            _joined(self.views, new.views, limits.products, _event_of, _by_time),
            tuple(sorted({*self.moments, *new.moments})[-limits.events :]),
            _joined(self.anonymous_ids, new.anonymous_ids, MOST_IDS, _value_of, _by_time_and_value),
            _joined(self.orders, new.orders, MOST_IDS, _value_of, _by_time_and_value),
        )

    def _changes_after(self, new: _Arrivals, limits: Limits) -> tuple[Change, ...]:
        if new.snapshot is None or (not new.changes and new.snapshot is self.snapshot):
            return _joined(self.changes, new.changes, limits.events, _line_of_event, _by_time_and_place)
        told_at = (new.snapshot.at, new.snapshot.mark)
        later_ones = [item for item in (*self.changes, *new.changes) if (item.at, item.mark) > told_at]
        return newest(later_ones, limits.events, _line_of_event, _by_time_and_place)


def _joined(
    known: tuple[Item, ...], new: list[Item], keep: int, key: Callable[[Item], Hashable], order: Callable[[Item], Any]
) -> tuple[Item, ...]:
    """Return `newest` of both, without the work when nothing is new."""
    return newest((*known, *new), keep, key, order) if new else known


class _Arrivals:
    """What events bring to a record: facts and bounds with its own, of everything else only what is new."""

    def __init__(self, record: SessionRecord) -> None:
        self.first, self.last = record.first_event_at, record.last_event_at
        self.facts, self.snapshot = dict(record.facts), record.snapshot
        self.changes: list[Change] = []
        self.views: list[View] = []
        self.moments: list[float] = []
        self.anonymous_ids: list[Told] = []
        self.orders: list[Told] = []

    def take(self, event: Event, limits: Limits) -> None:
        at, mark = event.occurred_at, mark_of(event.message_id)
        self.first = min(self.first, at) if self.last else at
        self.last = max(self.last, at)
        action = ACTIONS.get(event.name) if event.kind == "track" else None
        if action == "view":
            self.views += [View(at, mark, line.product_id) for line in event.lines[:1]]
        else:
            self.moments.append(at)
            self._change(event, action, mark, limits)
        if event.context or event.shopper_id is not None or event.checkout_step is not None:
            self._tell(event, mark)
        if event.anonymous_id is not None:
            self.anonymous_ids.append(Told(at, mark, event.anonymous_id))
        if event.order is not None:
            self.orders.append(Told(at, mark, event.order.order_id))

    def _change(self, event: Event, action: Action | None, mark: str, limits: Limits) -> None:
        lines = event.lines[: limits.products]
        if action == "clear" or (action == "set" and lines):
            kept = (
                () if action == "clear" else tuple(Line(x.product_id, x.quantity, x.price, x.discount) for x in lines)
            )
            told = Snapshot(event.occurred_at, mark, kept)
            self.snapshot = told if self.snapshot is None else later(told, self.snapshot)
        elif action in {"add", "remove"}:
            sign = 1.0 if action == "add" else -1.0
            self.changes += [
                Change(event.occurred_at, mark, place, line.product_id, sign * line.quantity, line.price, line.discount)
                for place, line in enumerate(lines)
            ]

    def _tell(self, event: Event, mark: str) -> None:
        values = {name: event.context[name][:LONGEST_FACT] for name in CONTEXT if name in event.context}
        if event.shopper_id is not None:
            values["shopper"] = event.shopper_id
        if event.checkout_step is not None:
            values["step"] = str(event.checkout_step)
        for name, value in values.items():
            told, known = Told(event.occurred_at, mark, value), self.facts.get(name)
            if known is None:
                self.facts[name] = told
            elif name == "referrer":
                self.facts[name] = min(told, known, key=_by_time_and_value)
            else:
                self.facts[name] = max(told, known, key=_by_time_and_value)


def _line_of_event(change: Change) -> tuple[str, int]:
    return change.mark, change.place


def _by_time_and_place(change: Change) -> tuple[float, str, int]:
    return change.at, change.mark, change.place


def _event_of(view: View) -> str:
    return view.mark


def _by_time(view: View) -> tuple[float, str]:
    return view.at, view.mark


def _value_of(told: Told) -> str:
    return told.value


def _by_time_and_value(told: Told) -> tuple[float, str, str]:
    return told.at, told.mark, told.value
