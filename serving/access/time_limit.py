"""A request that takes too long is answered: one that sends its body slowly, or one that waits for something."""

from __future__ import annotations

import asyncio

from litestar.exceptions import HTTPException, ServiceUnavailableException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send, WebSocketReceiveMessage


class SlowBodyError(HTTPException):
    """The body did not come in time."""

    status_code = 408


class TimeLimit(ASGIMiddleware):
    """Bounds the time of every request.

    Args:
        seconds: from its head to the head of its answer.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See `ASGIMiddleware`.

        Raises:
            SlowBodyError, ServiceUnavailableException: time is over, and the answer has not begun.
        """
        waiting = began = False

        async def watched_receive() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            nonlocal waiting
            waiting = True
            message = await receive()
            waiting = False
            return message

        async def watched_send(message: Message) -> None:
            nonlocal began
            began = True
            timer.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as timer:
                await next_app(scope, watched_receive, watched_send)
        except TimeoutError:
            if began or not timer.expired():
                raise
            if waiting:
                raise SlowBodyError(f"The body did not arrive within {self._seconds:g} s.") from None
            raise ServiceUnavailableException(
                f"This could not be answered within {self._seconds:g} s; send it again later."
            ) from None
