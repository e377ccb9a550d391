"""From the body of a tracking call to events: decoding, validation, clock-skew correction. Pure functions."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import msgspec

from configs.settings import EventSettings
from events import ga4
from events.contract import Event, InvalidEventError, Kind
from events.exposure import EXPOSED, RESERVED
from events.segment import (
    EVENTS,
    NOTHING,
    ORDER_EVENTS,
    ORDER_REFUNDED,
    PRODUCT_EVENTS,
    Batch,
    Call,
    CallContext,
    Properties,
    word,
)
from events.traits import context_of, traits_of

CallType = Literal["track", "identify", "alias", "page", "screen", "group"]
Endpoint = Literal[CallType, "batch"]

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
LONGEST_AHEAD_SECONDS = 86_400.0

_KINDS: dict[str, Kind] = {
    "track": "track",
    "identify": "identify",
    "alias": "alias",
    "page": "page",
    "screen": "other",
    "group": "other",
}
_call = msgspec.json.Decoder(Call)
_batch = msgspec.json.Decoder(Batch)
_properties = msgspec.json.Decoder(Properties | None)
_params = msgspec.json.Decoder(ga4.Params | None)
_traits = msgspec.json.Decoder(dict[str, Any] | None)
_encoder = msgspec.json.Encoder()
_HALF_LETTER = re.compile("[\ud800-\udfff]")
_no_context = CallContext()
_nothing_told = Properties()
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A call that breaks the contract.

    Attributes:
        index: its place in the batch; None if it is the whole body.
        field, reason: what is wrong, as InvalidEventError tells it.
        body, endpoint: what would say the same again, and where to.
    """

    index: int | None
    field: str
    reason: str
    body: bytes
    endpoint: Endpoint


class Collected(NamedTuple):
    """What became of a body: the events of its valid calls in order, and its invalid calls."""

    events: list[Event]
    rejected: list[Rejected]


class _Sent(NamedTuple):
    """What a call's surroundings say: when it came, when its batch was sent, and the batch's context."""

    received_at: float
    sent_at: datetime | None = None
    context: CallContext | None = None


def collect(body: bytes, endpoint: Endpoint, received_at: float, limits: EventSettings) -> Collected:
    """Return the events of a request body, and what is wrong with each call that breaks the contract.

    Args:
        body: JSON as Segment's HTTP API takes it.
        endpoint: which call it came to.
        received_at: unix seconds by the service's clock.
        limits: largest event.
    """
    largest = limits.max_event_kb * 1024
    try:
        if endpoint != "batch":
            call = _decoded(_call, body, "", largest)
            return Collected([_event(call, endpoint, "", _Sent(received_at))], [])
        batch = _decoded(_batch, body, "")
    except InvalidEventError as error:
        return Collected([], [Rejected(None, error.field, error.reason, body, endpoint)])
    sent = _Sent(received_at, batch.sent_at, batch.context)
    events: list[Event] = []
    rejected: list[Rejected] = []
    for index, raw in enumerate(batch.batch):
        try:
            call = _decoded(_call, raw, f"batch[{index}]", largest)
            events.append(_event(call, call.type, f"batch[{index}].", sent))
        except InvalidEventError as error:
            rejected.append(Rejected(index, error.field, error.reason, _alone(raw, batch), endpoint))
    return Collected(events, rejected)


def parse(body: bytes, endpoint: Endpoint, received_at: float, limits: EventSettings) -> list[Event]:
    """Return the events of a request body whose calls are all valid; arguments as of `collect`.

    Raises:
        InvalidEventError: a call breaks the contract; names the field and what is expected.
    """
    events, rejected = collect(body, endpoint, received_at, limits)
    if rejected:
        raise InvalidEventError(rejected[0].field, rejected[0].reason)
    return events


def _decoded(
    decoder: msgspec.json.Decoder[_T], body: bytes | msgspec.Raw, where: str, largest: int | None = None
) -> _T:
    """Return what JSON says, with errors that name the field; `where` names the body's place in the request."""
    size = len(memoryview(body))
    if largest is not None and size > largest:
        raise InvalidEventError(where or "body", f"has {size} bytes, at most {largest} are taken")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(error, where) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _decoded_after_all(decoder, bytes(body), where, error)
    except RecursionError:
        raise _too_deep(where) from None


def _decoded_after_all(decoder: msgspec.json.Decoder[_T], body: bytes, where: str, malformed: Exception) -> _T:
    """Return what malformed JSON says if all that is wrong with it are halves of letters, NaN and Infinity.

    Python's and JavaScript's clients send such. They become NUL and lists, which no field takes: so they break the
    contract where they stand instead of costing the other calls of their batch, and the dead letter shows them.
    """
    try:
        plain = json.loads(body, parse_constant=lambda name: [f"{name} is no number in JSON"])
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        return decoder.decode(_HALF_LETTER.sub(r"\\u0000", text).encode())
    except msgspec.ValidationError as error:
        raise _invalid(error, where) from None
    except (ValueError, msgspec.MsgspecError):
        raise InvalidEventError(where or "body", f"is no valid JSON: {malformed}") from None
    except RecursionError:
        raise _too_deep(where) from None


def _invalid(error: msgspec.ValidationError, where: str) -> InvalidEventError:
    reason, _, path = str(error).partition(" - at `$")
    field = ".".join(filter(None, [where, path.rstrip("`").lstrip(".")]))
    return InvalidEventError(field or "body", reason)


def _too_deep(where: str) -> InvalidEventError:
    return InvalidEventError(where or "body", "is nested too deeply")


def _alone(raw: msgspec.Raw, batch: Batch) -> bytes:
    """Return a batch of one call that says what this call says in its batch."""
    return _encoder.encode(Batch([raw], batch.sent_at, batch.context))


def _event(call: Call, kind: str | None, where: str, sent: _Sent) -> Event:
    _require_kind_and_person(call, kind, where)
    context = call.context or sent.context or _no_context
    session = next(i for i in (context.session_id, call.anonymous_id, call.user_id) if i is not None)
    is_track = kind == "track"
    name = str(ga4.NAMES.get(call.event or "", call.event) if is_track else kind)
    told = _told(call, name, where) if is_track and name in EVENTS else _nothing_told
    return Event(
        message_id=call.message_id or uuid.uuid4().hex,
        kind="refund" if name == ORDER_REFUNDED else _KINDS[str(kind)],
        name=name,
        session_id=str(session),
        shopper_id=_text(call.user_id),
        occurred_at=_occurred_at(call, where, sent),
        lines=told.lines(name),
        checkout_step=told.step,
        context=context_of(context, call.channel),
        anonymous_id=_text(call.anonymous_id),
        previous_id=_text(call.previous_id) if kind == "alias" else None,
        received_at=sent.received_at,
        order=told.order() if name in ORDER_EVENTS else None,
        request_id=word(told.request_id),
        list_id=word(told.list_id),
        traits=_traits_told(call, where) if kind == "identify" else {},
    )


def _require_kind_and_person(call: Call, kind: str | None, where: str) -> None:
    if not kind:
        raise InvalidEventError(f"{where}type", "is missing: each item of a batch says track, identify, …")
    if kind not in _KINDS:
        raise InvalidEventError(f"{where}type", f"is {kind[:40]!r}, expected one of {', '.join(get_args(CallType))}")
    if kind == "track" and call.event is None:
        raise InvalidEventError(f"{where}event", "is missing: a track call names what happened")
    if call.event == EXPOSED:
        raise InvalidEventError(f"{where}event", f"is {EXPOSED!r}, which only the service itself may say: rename it")
    if (call.message_id or "").startswith(RESERVED):
        raise InvalidEventError(f"{where}messageId", f"begins with {RESERVED!r}, as only the service's own may")
    if kind == "alias":
        if call.user_id is None:
            raise InvalidEventError(f"{where}userId", "is missing: an alias call says who it is from now on")
        if call.previous_id is None:
            raise InvalidEventError(f"{where}previousId", "is missing: an alias call says who it was before")
    if call.anonymous_id is None and call.user_id is None:
        raise InvalidEventError(f"{where}anonymousId", "is missing, and so is userId: one of them says who it was")


def _told(call: Call, name: str, where: str) -> Properties | ga4.Params:
    """Return what an e-commerce event's properties say, having checked what its name demands of them."""
    of_ga4 = call.event in ga4.NAMES
    place, raw = ("properties", call.properties) if call.params == NOTHING else ("params", call.params)
    told: Properties | ga4.Params
    if of_ga4:
        told = _decoded(_params, raw, f"{where}{place}") or ga4.Params()
    else:
        told = _decoded(_properties, raw, f"{where}{place}") or _nothing_told
    if name in PRODUCT_EVENTS and not told.lines(name):
        field, what = ("items", "products") if of_ga4 else ("product_id", "one product")
        raise InvalidEventError(f"{where}{place}.{field}", f"is missing: {call.event} concerns {what}")
    if name in ORDER_EVENTS and told.order() is None:
        field = "transaction_id" if of_ga4 else "order_id"
        raise InvalidEventError(f"{where}{place}.{field}", f"is missing: {call.event} says which order it was")
    return told


def _traits_told(call: Call, where: str) -> dict[str, str]:
    return traits_of(_decoded(_traits, call.traits, f"{where}traits") or {})


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _occurred_at(call: Call, where: str, sent: _Sent) -> float:
    """Return when it happened by our clock, as Segment's spec corrects it: received − (sentAt − timestamp).

    Without `timestamp` it happened now; with `timestamp` but without `sentAt` it is a historical import, as told.
    """
    if call.timestamp is None:
        return sent.received_at
    told = _seconds(call.timestamp)
    sent_at = call.sent_at or sent.sent_at
    at = told if sent_at is None else sent.received_at - max(0.0, _seconds(sent_at) - told)
    if not EARLIEST <= at <= sent.received_at + LONGEST_AHEAD_SECONDS:
        raise InvalidEventError(
            f"{where}timestamp",
            f"is {call.timestamp.isoformat()}, expected between 2000 and one day after the service's clock "
            f"({datetime.fromtimestamp(sent.received_at, UTC).isoformat(timespec='seconds')})",
        )
    return at


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
