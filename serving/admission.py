"""Who is let in: requests are counted as they arrive, and turned away with 429 before everybody waits too long.

Two bounds. One on requests in this process at a time. And one on the queue: if for a whole interval not a single
request came in without waiting longer than the target, the queue does not drain by itself, and whoever waited longer
than the target is turned away; a burst that drains is let through.

Source: K. Nichols, V. Jacobson, Controlling Queue Delay, ACM Queue 2012 (CoDel), as servers use it: B. Maurer, Fail at
Scale, ACM Queue 2015.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping

import msgspec
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from serving.schema import ErrorAnswer, Problem

INTERVAL_SECONDS = 0.1
RETRY_SECONDS = 1
BEAT_SECONDS = 0.005
ARRIVED = "tillwise_arrived"
"""Key of the ASGI scope's state: when a request reached this process, in monotonic seconds."""

_BUSY = msgspec.json.encode(
    ErrorAnswer(
        Problem("service", f"There are more requests than can be answered in time: retry in {RETRY_SECONDS} s.")
    )
)


class Admission:
    """Counts the requests of one kind. Moments are monotonic seconds, told.

    Args:
        most: requests in this process at a time.
        target: seconds of waiting that are too long if they last; inf: waiting does not matter.
    """

    def __init__(self, most: int, target: float = math.inf) -> None:
        self._most, self._target = most, target
        self._interval_ends, self._least = 0.0, math.inf
        self.inside, self.shed, self.overloaded = 0, 0, False

    def enter(self, now: float, waited: float) -> bool:
        """Return whether a request that waited so many seconds may come in; if so, it is to `leave`."""
        self._look(now, waited)
        if self.inside >= self._most or (self.overloaded and waited > self._target):
            self.shed += 1
            return False
        self.inside += 1
        return True

    def leave(self) -> None:
        """Count a request out."""
        self.inside -= 1

    def _look(self, now: float, waited: float) -> None:
        """Judge the interval that is over: whether even its luckiest request waited too long."""
        if now >= self._interval_ends:
            recent = now < self._interval_ends + INTERVAL_SECONDS
            self.overloaded = recent and self._target < self._least < math.inf
            self._interval_ends, self._least = now + INTERVAL_SECONDS, math.inf
        self._least = min(self._least, waited)


class LoopLag:
    """How long the event loop has just kept what came in waiting.

    While the loop is busy, requests lie in the sockets, unseen. A timer that is late by so much tells of it: what is
    read with it may have waited as long. A worst case, since a request may have come only just now.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Begin, in the running loop."""
        if self._timer is None:
            self._next()

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        due = time.monotonic() + BEAT_SECONDS
        self._timer = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat, due)

    def _beat(self, due: float) -> None:
        self.seconds = max(0.0, time.monotonic() - due)
        self._next()


class Doorkeeper(ASGIMiddleware):
    """Notes when each request arrived, and lets it in or answers 429.

    Args:
        doors: by path, of POST; other requests are always let in.
        lag: of the event loop.
    """

    def __init__(self, doors: Mapping[str, Admission], lag: LoopLag) -> None:
        self._doors, self._lag = doors, lag

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See `ASGIMiddleware`."""
        self._lag.watch()
        now, waited = time.monotonic(), self._lag.seconds
        scope["state"][ARRIVED] = now - waited
        door = self._doors.get(scope["path"]) if scope.get("method") == "POST" else None
        if door is None:
            await next_app(scope, receive, send)
        elif door.enter(now, waited):
            try:
                await next_app(scope, receive, send)
            finally:
                door.leave()
        else:
            await _turn_away(send)


async def _turn_away(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BUSY)).encode())]
    headers.append((b"retry-after", str(RETRY_SECONDS).encode()))
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": _BUSY, "more_body": False})
