"""POST /v1/track, /v1/batch and the like: Segment's HTTP tracking API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody
from litestar.status_codes import HTTP_200_OK

from configs.settings import EventSettings
from events import InvalidEventError
from events.bodies import plain
from events.brokers import Broker
from events.collector import CallType, Collected, Endpoint, collect
from serving.access import IN_BODY, Gate
from serving.access.credentials import collecting_key
from serving.clock import Clock
from serving.description import ToldSchema, batch_schema, call_schema
from serving.metrics import Counts
from serving.responses import wrong
from serving.schema import Accepted, BatchAccepted, RejectedCall

AnyRequest = Request[Any, Any, Any]


class Collector:
    """Takes the body of a tracking call to the broker."""

    def __init__(self, broker: Broker, clock: Clock, limits: EventSettings, gate: Gate, counts: Counts) -> None:
        """Publish to `broker` what `gate` lets through; `limits` tells sizes."""
        self._broker, self._clock, self._limits, self._gate, self._counts = broker, clock, limits, gate, counts

    async def accept(self, request: AnyRequest, endpoint: Endpoint) -> Collected:
        """Return once a body's events are durable and its invalid calls lie with the dead letters.

        Raises:
            InvalidEventError: no call of the body is valid. PartError: the broker does not accept them.
            HTTPException: see `Gate.require`. BodyTooLargeError, UnknownEncodingError: nothing of it is taken.
        """
        wire = await request.body()
        body = plain(wire, request.headers.get("content-encoding"), self._limits.max_body_kb * 1024)
        self._gate.require(request.scope, "collect", collecting_key(request.headers.get("authorization"), body))
        collected = collect(body, endpoint, self._clock(), self._limits)
        if collected.events:
            await self._broker.publish(collected.events)
        for call in collected.rejected:
            # A largest call still fits with its batch around it; what is longer could not be sent again anyway.
            kept = call.body[: 2 * self._limits.max_event_kb * 1024]
            await self._broker.reject(kept, call.endpoint, call.field, call.reason)
        self._counts.collected(len(collected.events), len(collected.rejected))
        if not collected.events:
            raise InvalidEventError(collected.rejected[0].field, collected.rejected[0].reason)
        return collected


@dataclass
class _CollectOperation(Operation):
    """Describes the body of routes that decode it themselves, to name the field of every error."""

    def __post_init__(self) -> None:
        """Put what we read into the description."""
        kind = str(self.operation_id).lower()
        told = batch_schema() if kind == "batch" else call_schema(kind)
        told["description"] = "As Segment's HTTP tracking API takes it, gzipped or not; other fields are ignored"
        schema = ToldSchema(told=told)
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


_COLLECT: dict[str, Any] = {
    "status_code": HTTP_200_OK,
    "operation_class": _CollectOperation,
    "responses": wrong(
        *(400, 401, 403, 408, 413, 415, 429, 503),
        s400="No call of the body is valid; this says what is wrong first",
        s503="The broker does not accept events now; send them again later",
    ),
    "opt": IN_BODY,
    "security": [{}, {"key": []}, {"user": []}],
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
