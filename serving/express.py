"""The short way of a plain request for recommendations: past what Litestar does for routes of every kind.

Whoever is plain has a JSON body of a told length and asks for no explanation, which is nearly everybody. Such a request
is decoded, answered and encoded here, behind the same doors, limits and headers. Anything else, and all that is wrong
with a request, is left to the route (`serving.routes.recommendations`), which sees the request as if it came just now.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated

import msgspec
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage
from msgspec import Meta

from configs.settings import ServingSettings
from serving.admission import ARRIVED
from serving.budget import Budget
from serving.metrics import Counts
from serving.path import Answering
from serving.schema import RecommendationAnswer, RecommendationRequest

LONGEST_MS = 60_000
"""Longest deadline that a client may tell, in milliseconds."""

Milliseconds = Annotated[float, Meta(gt=0, le=LONGEST_MS)]

_JSON = b"application/json"
_TOLD = frozenset({b"content-type", b"content-length", b"transfer-encoding", b"x-deadline-ms"})
_decode = msgspec.json.Decoder(RecommendationRequest).decode
_encode = msgspec.json.Encoder().encode

Message = HTTPReceiveMessage | WebSocketReceiveMessage


class Express(ASGIMiddleware):
    """Answers plain requests to one path itself; the innermost middleware.

    Args:
        path: of the route. engine: answers. limits: of the service. counts: of answers.
        most_bytes: of a body.
    """

    def __init__(self, path: str, engine: Answering, limits: ServingSettings, counts: Counts, most_bytes: int) -> None:
        self._path, self._most_bytes = path, most_bytes
        self._engine, self._limits, self._counts = engine, limits, counts

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See `ASGIMiddleware`."""
        wanted = None
        if scope["path"] == self._path and scope.get("method") == "POST":
            wanted = wanted_ms(scope["headers"], self._most_bytes)
        if wanted is None:
            await next_app(scope, receive, send)
            return
        messages, body = await _received(receive)
        request = plain(body)
        if request is None:
            await next_app(scope, _again(messages, receive), send)
            return
        answer = await answered(request, scope, self._engine, self._limits, self._counts, *wanted)
        await _send(send, _encode(answer))


async def answered(
    request: RecommendationRequest,
    scope: Scope,
    engine: Answering,
    limits: ServingSettings,
    counts: Counts,
    *wanted: float | None,
) -> RecommendationAnswer:
    """Return the counted answer to a request, within the shortest of all deadlines; `wanted`: the headers', in ms."""
    arrived = scope["state"].get(ARRIVED, time.monotonic())
    answer = await engine.answer(request, Budget.of(arrived, limits.deadline_ms, request.deadline_ms, *wanted))
    counts.answered(None if answer.fallback is None else answer.fallback.step)
    return answer


def wanted_ms(headers: Iterable[tuple[bytes, bytes]], most_bytes: int) -> tuple[float, ...] | None:
    """Return the deadlines that the headers of a plain request tell, none or one; None if it is not plain."""
    told = [(name, value) for name, value in headers if name in _TOLD]
    found = dict(told)
    length = found.get(b"content-length", b"")
    if len(found) < len(told) or b"transfer-encoding" in found or not length.isdigit() or int(length) > most_bytes:
        return None
    if found.get(b"content-type", b"").partition(b";")[0] != _JSON:
        return None
    deadline = found.get(b"x-deadline-ms")
    if deadline is None:
        return ()
    try:
        return (msgspec.convert(deadline.decode("latin-1"), Milliseconds, strict=False),)
    except msgspec.ValidationError:
        return None


def plain(body: bytes | None) -> RecommendationRequest | None:
    """Return the request in a body; None if it is not plain, or wrong."""
    try:
        request = None if body is None else _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if request is None or request.explain else request


async def _received(receive: Receive) -> tuple[list[Message], bytes | None]:
    """Return what was received until the body was whole, and the body; None if it broke off."""
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            return messages, None
        if not message.get("more_body", False):
            return messages, b"".join(one["body"] for one in messages if one["type"] == "http.request")


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Return what gives the messages once more, then goes on receiving."""
    waiting = iter(messages)

    async def again() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return again


async def _send(send: Send, body: bytes) -> None:
    headers = [(b"content-type", _JSON), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
