"""Segment's HTTP tracking calls as types: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api

Fields we do not use are ignored, so that any existing client can point here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from events.contract import MAX_ID

Text = Annotated[str, Meta(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00-\x1f]+$(?!\n)")]
"""No control characters; `$` alone would let a newline at the end pass."""

Id = Text | Annotated[int, Meta(ge=0)]
"""Clients send numeric ids too; they become text."""
Amount = Annotated[float, Meta(ge=0, le=1e9)]
MAX_LINES = 1_000


class Product(msgspec.Struct):
    """A product of a call's properties."""

    product_id: Id
    quantity: Amount = 1.0
    price: Amount | None = None


class Properties(msgspec.Struct):
    """Properties of a track call, as the e-commerce spec (v2) names them."""

    product_id: Id | None = None
    quantity: Amount = 1.0
    price: Amount | None = None
    products: Annotated[list[Product], Meta(max_length=MAX_LINES)] = []
    step: Annotated[int, Meta(ge=0, le=100)] | None = None


class Device(msgspec.Struct):
    """Device of a call's context."""

    type: str | None = None


class Location(msgspec.Struct):
    """Location of a call's context."""

    country: str | None = None


class Page(msgspec.Struct):
    """Page of a call's context."""

    referrer: str | None = None


class CallContext(msgspec.Struct, rename="camel"):
    """Context of a call."""

    session_id: Id | None = None
    device: Device | None = None
    location: Location | None = None
    page: Page | None = None


class Call(msgspec.Struct, rename="camel"):
    """A track, identify or other call."""

    type: str | None = None
    event: Annotated[str, Meta(min_length=1, max_length=MAX_ID)] | None = None
    user_id: Id | None = None
    anonymous_id: Id | None = None
    message_id: Text | None = None
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    properties: Properties | None = None
    context: CallContext | None = None


class Batch(msgspec.Struct, rename="camel"):
    """A batch of calls, each decoded on its own so that an error names its index."""

    batch: Annotated[list[msgspec.Raw], Meta(min_length=1)]
    sent_at: datetime | None = None
