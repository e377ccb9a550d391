"""Events as rows of the tables. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from events.contract import Event, OrderFacts, encode
from events.record import tables
from events.record.exposures import exposure_line_rows, exposure_row

Row = dict[str, Any]

LATEST = 4e9
"""Unix seconds in the year 2096. The collector lets nothing pass that tells a later time."""
LARGEST = 2**31
"""Whole numbers that every database holds lie below."""

OUTCOMES = {"Product List Viewed": "impression", "Product Clicked": "click", "Product Added": "add"}
"""Track events that are outcomes, and their kind."""


@dataclass(frozen=True)
class Family:
    """Rows of a parent table by key, the smallest mark of each, and their children by the same key."""

    parent: Table
    child: Table | None
    key: str
    rows: dict[str, Row] = field(default_factory=dict)
    children: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, row: Row, children: list[Row]) -> None:
        """Take a row in, unless a better one of its key is there."""
        key = row[self.key]
        if key not in self.rows or row["mark"] < self.rows[key]["mark"]:
            self.rows[key] = row
            self.children[key] = children


def families_of(events: Iterable[Event], stored_at: float) -> list[Family]:
    """Return the rows that events make, each key once: orders, refunds, outcomes, exposures, the tail of the log.

    Args:
        events: in any order, repeated or not.
        stored_at: unix seconds.

    Raises:
        ValueError: an event tells a time that no calendar has, or a number that no table holds.
    """
    orders = Family(tables.orders, tables.order_lines, "order_id")
    refunds = Family(tables.refunds, tables.refund_lines, "message_id")
    outcomes = Family(tables.outcomes, tables.outcome_lines, "message_id")
    exposures = Family(tables.exposures, tables.exposure_lines, "request_id")
    tail = Family(tables.log_tail, None, "message_id")
    for event in events:
        _require_storable(event)
        body = encode(event)
        mark = mark_of(event, body)
        tail.add({"message_id": event.message_id, "mark": mark, "stored_at": stored_at, "body": body}, [])
        if event.order is not None and event.kind == "refund":
            refunds.add(_refund(event, event.order, mark), _refund_lines(event))
        elif event.order is not None:
            orders.add(_order(event, mark), _order_lines(event))
        elif event.kind == "track" and event.name in OUTCOMES:
            outcomes.add(_outcome(event, mark), _outcome_lines(event))
        elif event.exposure is not None:
            exposures.add(exposure_row(event, event.exposure, mark), exposure_line_rows(event, event.exposure))
    return [orders, refunds, outcomes, exposures, tail]


def _require_storable(event: Event) -> None:
    if not 0 <= event.occurred_at < LATEST or not 0 <= event.received_at < LATEST:
        raise ValueError(f"occurred at {event.occurred_at}, received at {event.received_at}: no time of this world")
    for number in (event.checkout_step, *(line.position for line in event.lines)):
        if number is not None and not 0 <= number < LARGEST:
            raise ValueError(f"checkout step or position {number} is not between 0 and {LARGEST}")


def mark_of(event: Event, body: bytes) -> str:
    """Return where an event stands among all that are told under one key: by time, then by content."""
    return f"{event.occurred_at:020.6f} {hashlib.blake2b(body, digest_size=12).hexdigest()}"


def _person(event: Event) -> Mapping[str, str | None]:
    return {
        "session_id": event.session_id,
        "shopper_id": event.shopper_id,
        "anonymous_id": event.anonymous_id,
    }


def _order(event: Event, mark: str) -> Row:
    order = event.order
    assert order is not None
    return {
        "order_id": order.order_id,
        "mark": mark,
        "message_id": event.message_id,
        "placed_at": event.occurred_at,
        "received_at": event.received_at,
        **_person(event),
        "channel": event.context.get("channel"),
        "value": order.value,
        "discount": order.discount,
        "currency": order.currency,
        "coupon": order.coupon,
    }


def _order_lines(event: Event) -> list[Row]:
    assert event.order is not None
    return [
        {
            "order_id": event.order.order_id,
            "line": number,
            "product_id": line.product_id,
            "quantity": line.quantity,
            "unit_price": line.price,
            "discount": line.discount,
        }
        for number, line in enumerate(event.lines)
    ]


def _refund(event: Event, order: OrderFacts, mark: str) -> Row:
    return {
        "message_id": event.message_id,
        "mark": mark,
        "order_id": order.order_id,
        "at": event.occurred_at,
        "received_at": event.received_at,
        **_person(event),
        "value": order.value,
        "currency": order.currency,
    }


def _refund_lines(event: Event) -> list[Row]:
    return [
        {
            "message_id": event.message_id,
            "line": number,
            "product_id": line.product_id,
            "quantity": line.quantity,
        }
        for number, line in enumerate(event.lines)
    ]


def _outcome(event: Event, mark: str) -> Row:
    return {
        "message_id": event.message_id,
        "mark": mark,
        "kind": OUTCOMES[event.name],
        "at": event.occurred_at,
        "received_at": event.received_at,
        **_person(event),
        "request_id": event.request_id,
        "list_id": event.list_id,
    }


def _outcome_lines(event: Event) -> list[Row]:
    return [
        {
            "message_id": event.message_id,
            "line": number,
            "product_id": line.product_id,
            "quantity": line.quantity,
            "price": line.price,
            "position": line.position,
        }
        for number, line in enumerate(event.lines)
    ]
