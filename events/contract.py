"""The event as the broker carries it, whatever API or client it came through."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["track", "identify", "other"]

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
    """One product of an event; `price` is money per unit, None if not told."""

    product_id: str
    quantity: float = 1.0
    price: float | None = None


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One thing that happened.

    Attributes:
        message_id: the client's idempotency key. kind, name: what it is; name is the track call's event.
        session_id: context.sessionId, else anonymousId, else userId. shopper_id: userId, if told.
        occurred_at: unix seconds, corrected for the client's clock.
        lines: products concerned. checkout_step: if told.
        context: device, country and referrer, as far as told.
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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Event)


def encode(event: Event) -> bytes:
    """Return the event as MessagePack."""
    return _encoder.encode(event)


def decode(raw: bytes) -> Event:
    """Return the event of MessagePack bytes.

    Raises:
        msgspec.DecodeError: the bytes are no event (its subclass ValidationError: of the wrong shape).
    """
    return _decoder.decode(raw)
