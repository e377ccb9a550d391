"""POST /v1/track, /v1/identify and /v1/batch: Segment's HTTP tracking API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.status_codes import HTTP_200_OK

from configs.settings import EventSettings
from events.brokers import Broker
from events.collector import Endpoint, parse
from events.segment import Batch, Call
from serving.clock import Clock
from serving.schema import Accepted, ErrorAnswer

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True)
class Collector:
    """Takes the body of a tracking call to the broker."""

    broker: Broker
    clock: Clock
    limits: EventSettings

    async def accept(self, body: bytes, endpoint: Endpoint) -> Accepted:
        """Return once the events of a body are durable.

        Raises:
            InvalidEventError: an event breaks the contract. PartError: the broker does not accept them.
        """
        await self.broker.publish(parse(body, endpoint, self.clock(), self.limits))
        return Accepted()


@dataclass
class _CollectOperation(Operation):
    """Describes the body of routes that decode it themselves, to name the field of every error."""

    def __post_init__(self) -> None:
        """Put the fields we read into the description."""
        fields = msgspec.structs.fields(Batch if "batch" in (self.operation_id or "").lower() else Call)
        schema = Schema(
            type=OpenAPIType.OBJECT,
            description="As Segment's HTTP tracking API takes it; other fields are ignored",
            properties={field.encode_name: Schema() for field in fields},
            required=[field.encode_name for field in fields if field.required],
        )
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


_COLLECT: dict[str, Any] = {
    "status_code": HTTP_200_OK,
    "operation_class": _CollectOperation,
    "responses": {
        400: ResponseSpec(ErrorAnswer, description="An event breaks the contract; nothing of the body was accepted"),
        413: ResponseSpec(ErrorAnswer, description="The body is too large"),
        503: ResponseSpec(ErrorAnswer, description="The broker does not accept events now; send them again later"),
    },
}


@post("/v1/track", summary="Collect one track call", **_COLLECT)
async def track(request: AnyRequest, collector: NamedDependency[Collector]) -> Accepted:
    """Accept one thing that happened; answered once it is durable in the broker."""
    return await collector.accept(await request.body(), "track")


@post("/v1/identify", summary="Collect one identify call", **_COLLECT)
async def identify(request: AnyRequest, collector: NamedDependency[Collector]) -> Accepted:
    """Accept who a session's shopper is; answered once it is durable in the broker."""
    return await collector.accept(await request.body(), "identify")


@post("/v1/batch", summary="Collect many calls", **_COLLECT)
async def batch(request: AnyRequest, collector: NamedDependency[Collector]) -> Accepted:
    """Accept a batch of calls, all or none; answered once they are durable in the broker."""
    return await collector.accept(await request.body(), "batch")
