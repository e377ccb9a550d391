"""One attempt for all who wait: a broker that is away costs each of them one timeout, not one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class SharedAttempt:
    """Whoever calls while an attempt is under way gets the outcome of that one.

    Args:
        work: to be attempted.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._running: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Return when an attempt has succeeded; raise what it raised. One who stops waiting does not stop it."""
        if self._running is None or self._running.done():
            self._running = asyncio.ensure_future(self._attempt())
            self._running.add_done_callback(_look)
        await asyncio.shield(self._running)

    async def _attempt(self) -> None:
        await self._work()


def _look(attempt: asyncio.Task[None]) -> None:
    """Take note of the outcome, for the case that everyone has gone."""
    if not attempt.cancelled():
        attempt.exception()
