"""From the body of a tracking call to events: decoding, validation, clock-skew correction. Pure functions."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from configs.settings import EventSettings
from events.contract import Event, InvalidEventError, Kind, Line
from events.segment import Batch, Call, CallContext, Properties

Endpoint = Literal["track", "identify", "batch"]

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
LONGEST_AHEAD_SECONDS = 86_400.0
LONGEST_CONTEXT = 120

PRODUCT_EVENTS = frozenset({"Product Viewed", "Product Added", "Product Removed", "Product Clicked"})
"""Track events that concern one product, which they must name."""

_call = msgspec.json.Decoder(Call)
_batch = msgspec.json.Decoder(Batch)
_T = TypeVar("_T")


def parse(body: bytes, endpoint: Endpoint, received_at: float, limits: EventSettings) -> list[Event]:
    """Return the events of a request body; of a batch either all or, on the first error, none.

    Args:
        body: JSON as Segment's HTTP API takes it.
        endpoint: which call it came to.
        received_at: unix seconds by the service's clock.
        limits: largest body and event.

    Raises:
        InvalidEventError: the body breaks the contract; names the field and what is expected.
    """
    if endpoint == "batch":
        batch = _decoded(_batch, body, "")
        calls = [
            (_decoded(_call, bytes(raw), f"batch[{i}]", limits.max_event_kb), f"batch[{i}].")
            for i, raw in enumerate(batch.batch)
        ]
        return [_event(call, call.type or "", where, received_at, batch.sent_at) for call, where in calls]
    return [_event(_decoded(_call, body, "", limits.max_event_kb), endpoint, "", received_at, None)]


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes, where: str, max_kb: int | None = None) -> _T:
    if max_kb is not None and len(body) > max_kb * 1024:
        raise InvalidEventError(where or "body", f"has {len(body)} bytes, at most {max_kb * 1024} are taken")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        field = ".".join(filter(None, [where, path.rstrip("`").lstrip(".")]))
        raise InvalidEventError(field or "body", reason) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidEventError(where or "body", f"is no valid JSON: {error}") from None
    except RecursionError:
        raise InvalidEventError(where or "body", "is nested too deeply") from None


def _event(call: Call, kind: str, where: str, received_at: float, batch_sent_at: datetime | None) -> Event:
    if kind == "track" and call.event is None:
        raise InvalidEventError(f"{where}event", "is missing: a track call names what happened")
    if not kind:
        raise InvalidEventError(f"{where}type", "is missing: each item of a batch says track, identify, …")
    context = call.context or CallContext()
    session = next((i for i in (context.session_id, call.anonymous_id, call.user_id) if i is not None), None)
    if call.anonymous_id is None and call.user_id is None:
        raise InvalidEventError(f"{where}anonymousId", "is missing, and so is userId: one of them says who it was")
    properties = call.properties or Properties()
    return Event(
        message_id=call.message_id or uuid.uuid4().hex,
        kind=_kind(kind),
        name=call.event or kind,
        session_id=str(session),
        shopper_id=None if call.user_id is None else str(call.user_id),
        occurred_at=_occurred_at(call, where, received_at, batch_sent_at),
        lines=_lines(call.event or "", properties, where),
        checkout_step=properties.step,
        context=_context(context),
    )


def _kind(kind: str) -> Kind:
    if kind == "track":
        return "track"
    return "identify" if kind == "identify" else "other"


def _lines(name: str, properties: Properties, where: str) -> tuple[Line, ...]:
    if name in PRODUCT_EVENTS:
        if properties.product_id is None:
            raise InvalidEventError(f"{where}properties.product_id", f"is missing: {name} concerns one product")
        return (Line(str(properties.product_id), properties.quantity, properties.price),)
    return tuple(Line(str(item.product_id), item.quantity, item.price) for item in properties.products)


def _occurred_at(call: Call, where: str, received_at: float, batch_sent_at: datetime | None) -> float:
    """Return when it happened by our clock, as Segment's spec corrects it: received − (sentAt − timestamp).

    Without `timestamp` it happened now; with `timestamp` but without `sentAt` it is a historical import, as told.
    """
    if call.timestamp is None:
        return received_at
    told = _seconds(call.timestamp)
    sent_at = call.sent_at or batch_sent_at
    at = told if sent_at is None else received_at - max(0.0, _seconds(sent_at) - told)
    if not EARLIEST <= at <= received_at + LONGEST_AHEAD_SECONDS:
        raise InvalidEventError(
            f"{where}timestamp",
            f"is {call.timestamp.isoformat()}, expected between 2000 and one day after the service's clock "
            f"({datetime.fromtimestamp(received_at, UTC).isoformat(timespec='seconds')})",
        )
    return at


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _context(context: CallContext) -> dict[str, str]:
    told = {
        "device": context.device.type if context.device else None,
        "country": context.location.country if context.location else None,
        "referrer": context.page.referrer if context.page else None,
    }
    return {name: re.sub(r"[\x00-\x1f]", "", value)[:LONGEST_CONTEXT] for name, value in told.items() if value}
