"""The event as the broker carries it, whatever API or client it came through."""

from __future__ import annotations

from typing import Literal

import msgspec

from events.exposure import Exposure

Kind = Literal["track", "page", "identify", "alias", "other", "exposure", "refund"]

MAX_ID = 256
"""Longest id of a product, session, shopper or message, in characters."""


class InvalidEventError(Exception):
    """A call breaks the contract.

    Attributes:
        field: where, such as `batch[2].properties.product_id`.
        reason: what was found and what is expected.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One product of an event.

    Attributes:
        product_id, quantity: what and how many.
        price: money per unit, None if not told. discount: money off the line.
        position: place in the list it was shown in, from 1; None if it was in none.
    """

    product_id: str
    quantity: float = 1.0
    price: float | None = None
    discount: float = 0.0
    position: int | None = None


class OrderFacts(msgspec.Struct, frozen=True, array_like=True):
    """What an Order Completed or Order Refunded event says of the order as a whole.

    Attributes:
        order_id: the shop's. value: money paid, or paid back, None if not told. discount: money off.
        currency: ISO 4217, None if not told. coupon: its code, None without one.
    """

    order_id: str
    value: float | None = None
    discount: float = 0.0
    currency: str | None = None
    coupon: str | None = None


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One thing that happened.

    Attributes:
        message_id: the client's idempotency key.
        kind, name: what it is; name is the track call's event, else the kind of call. Order Refunded is a kind of its
            own: the shop says it, and it is nothing that the shopper did.
        session_id: context.sessionId, else anonymousId, else userId.
        shopper_id: userId, if told. anonymous_id: anonymousId, if told.
        previous_id: of an alias call, the id that is the same person as shopper_id.
        occurred_at: unix seconds, corrected for the client's clock. received_at: unix seconds of our clock.
        lines: products concerned. order: of Order Completed and Order Refunded. checkout_step: if told.
        request_id, list_id: the recommendation request and the block that products were shown in, if told.
        context: device, country, region, referrer, channel, url, as far as told.
        traits: of an identify call, the scalar ones as text.
        exposure: of our own answers, what was shown; no call that comes from outside has it.
    """

    message_id: str
    kind: Kind
    name: str
    session_id: str
    shopper_id: str | None
    occurred_at: float
    lines: tuple[Line, ...] = ()
    checkout_step: int | None = None
    context: dict[str, str] = {}
    anonymous_id: str | None = None
    previous_id: str | None = None
    received_at: float = 0.0
    order: OrderFacts | None = None
    request_id: str | None = None
    list_id: str | None = None
    traits: dict[str, str] = {}
    exposure: Exposure | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Event)


def ids_of(event: Event) -> tuple[str | None, ...]:
    """Return every id that an event names a person or a session by."""
    unit = None if event.exposure is None else event.exposure.unit
    return event.session_id, event.shopper_id, event.anonymous_id, event.previous_id, unit


def told_at(event: Event) -> float:
    """Return the unix second by which a wish to be forgotten is held against an event: when it came to us, if known."""
    return event.received_at or event.occurred_at


def returned_order(event: Event) -> str | None:
    """Return the id of the order that an Order Refunded event is about; None of any other event."""
    return event.order.order_id if event.kind == "refund" and event.order is not None else None


def encode(event: Event) -> bytes:
    """Return the event as MessagePack."""
    return _encoder.encode(event)


def decode(raw: bytes) -> Event:
    """Return the event of MessagePack bytes.

    Raises:
        msgspec.DecodeError: the bytes are no event (its subclass ValidationError: of the wrong shape).
    """
    try:
        return _decoder.decode(raw)
    except UnicodeDecodeError as error:  # msgspec raises it for text that is none
        raise msgspec.DecodeError(str(error)) from None
