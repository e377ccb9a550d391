"""POST /v1/track, /v1/identify and /v1/batch: Segment's HTTP tracking API."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.status_codes import HTTP_200_OK

from configs.settings import EventSettings
from events.brokers import Broker
from events.collector import Endpoint, parse
from serving.clock import Clock
from serving.schema import Accepted, ErrorAnswer

_RESPONSES = {
    400: ResponseSpec(ErrorAnswer, description="An event breaks the contract; nothing of the body was accepted"),
    413: ResponseSpec(ErrorAnswer, description="The body is too large"),
    503: ResponseSpec(ErrorAnswer, description="The broker does not accept events now; send them again later"),
}
AnyRequest = Request[Any, Any, Any]


@post("/v1/track", status_code=HTTP_200_OK, summary="Collect one track call", responses=_RESPONSES)
async def track(request: AnyRequest, broker: Broker, clock: Clock, limits: EventSettings) -> Accepted:
    """Accept one thing that happened; answered once it is durable in the broker."""
    return await _collect(request, "track", broker, clock, limits)


@post("/v1/identify", status_code=HTTP_200_OK, summary="Collect one identify call", responses=_RESPONSES)
async def identify(request: AnyRequest, broker: Broker, clock: Clock, limits: EventSettings) -> Accepted:
    """Accept who a session's shopper is; answered once it is durable in the broker."""
    return await _collect(request, "identify", broker, clock, limits)


@post("/v1/batch", status_code=HTTP_200_OK, summary="Collect many calls", responses=_RESPONSES)
async def batch(request: AnyRequest, broker: Broker, clock: Clock, limits: EventSettings) -> Accepted:
    """Accept a batch of calls, all or none; answered once they are durable in the broker."""
    return await _collect(request, "batch", broker, clock, limits)


async def _collect(
    request: AnyRequest, endpoint: Endpoint, broker: Broker, clock: Clock, limits: EventSettings
) -> Accepted:
    events = parse(await request.body(), endpoint, clock(), limits)
    await broker.publish(events)
    return Accepted()
