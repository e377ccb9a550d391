"""POST /v1/track, /v1/batch and the like: Segment's HTTP tracking API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.status_codes import HTTP_200_OK

from configs.settings import EventSettings
from events import InvalidEventError
from events.bodies import plain
from events.brokers import Broker
from events.collector import CallType, Collected, Endpoint, collect
from events.segment import Batch, Call
from events.write_keys import WriteKeys
from serving.clock import Clock
from serving.schema import Accepted, BatchAccepted, ErrorAnswer, RejectedCall

AnyRequest = Request[Any, Any, Any]


class Collector:
    """Takes the body of a tracking call to the broker."""

    def __init__(self, broker: Broker, clock: Clock, limits: EventSettings) -> None:
        """Publish to `broker`; `limits` tells sizes and write keys."""
        self._broker, self._clock, self._limits = broker, clock, limits
        self._keys = WriteKeys(limits.write_keys)

    async def accept(self, request: AnyRequest, endpoint: Endpoint) -> Collected:
        """Return once a body's events are durable and its invalid calls lie with the dead letters.

        Raises:
            InvalidEventError: no call of the body is valid. PartError: the broker does not accept them.
            UnauthorizedError, BodyTooLargeError, UnknownEncodingError: nothing of it is taken.
        """
        wire = await request.body()
        body = plain(wire, request.headers.get("content-encoding"), self._limits.max_body_kb * 1024)
        self._keys.require(request.headers.get("authorization"), body)
        collected = collect(body, endpoint, self._clock(), self._limits)
        if collected.events:
            await self._broker.publish(collected.events)
        for call in collected.rejected:
            # A largest call still fits with its batch around it; what is longer could not be sent again anyway.
            kept = call.body[: 2 * self._limits.max_event_kb * 1024]
            await self._broker.reject(kept, call.endpoint, call.field, call.reason)
        if not collected.events:
            raise InvalidEventError(collected.rejected[0].field, collected.rejected[0].reason)
        return collected


@dataclass
class _CollectOperation(Operation):
    """Describes the body of routes that decode it themselves, to name the field of every error."""

    def __post_init__(self) -> None:
        """Put the fields we read into the description."""
        fields = msgspec.structs.fields(Batch if "batch" in (self.operation_id or "").lower() else Call)
        schema = Schema(
            type=OpenAPIType.OBJECT,
            description="As Segment's HTTP tracking API takes it, gzipped or not; other fields are ignored",
            properties={field.encode_name: Schema() for field in fields},
            required=[field.encode_name for field in fields if field.required],
        )
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


_COLLECT: dict[str, Any] = {
    "status_code": HTTP_200_OK,
    "operation_class": _CollectOperation,
    "responses": {
        400: ResponseSpec(ErrorAnswer, description="No call of the body is valid; this says what is wrong first"),
        401: ResponseSpec(ErrorAnswer, description="No valid write key, where events.write_keys asks for one"),
        413: ResponseSpec(ErrorAnswer, description="The body is too large"),
        415: ResponseSpec(ErrorAnswer, description="The body is compressed in a way that is not taken"),
        429: ResponseSpec(ErrorAnswer, description="Too many calls at a time; send it again after Retry-After seconds"),
        503: ResponseSpec(ErrorAnswer, description="The broker does not accept events now; send them again later"),
    },
}

SINGLE_CALLS: dict[CallType, str] = {
    "track": "one thing that happened",
    "identify": "who a session's shopper is",
    "alias": "that two ids are one person",
    "page": "a page that was seen",
    "screen": "a screen of an app that was seen",
    "group": "whom a person belongs to",
}


def _single(kind: CallType, what: str) -> HTTPRouteHandler:
    async def accept(request: AnyRequest, collector: NamedDependency[Collector]) -> Accepted:
        await collector.accept(request, kind)
        return Accepted()

    accept.__doc__ = f"Accept {what}; answered once it is durable in the broker."
    return post(f"/v1/{kind}", name=kind, summary=f"Collect one {kind} call", operation_id=kind, **_COLLECT)(accept)


singles: list[HTTPRouteHandler] = [_single(kind, what) for kind, what in SINGLE_CALLS.items()]


@post("/v1/batch", summary="Collect many calls", operation_id="batch", **_COLLECT)
async def batch(request: AnyRequest, collector: NamedDependency[Collector]) -> BatchAccepted:
    """Accept the valid calls of a batch, and say what is wrong with each other one.

    Answered once the valid ones are durable in the broker and the others are kept with the dead letters.
    """
    collected = await collector.accept(request, "batch")
    rejected = [RejectedCall(call.index or 0, call.field, call.reason) for call in collected.rejected]
    return BatchAccepted(accepted=len(collected.events), rejected=rejected)
