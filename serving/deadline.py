"""A deadline that means the other side: time in which this process itself was busy does not count against an answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")
SLICES = 16


class OutOfTimeError(TimeoutError):
    """The work got less than its time, because we have none left: that says nothing of the other side."""


async def in_time(work: Awaitable[T], seconds: float, at_most: float = math.inf) -> T:
    """Return what `work` returns, unless the other side takes longer than `seconds`.

    Ranking other requests keeps the event loop busy for milliseconds at a time, and to connect, to ask and to read an
    answer takes several turns of the loop. A timer that counts those milliseconds gives up on an answer which came
    long ago. So time is counted in slices: a slice that ends late, since the loop was busy, counts as one slice, and
    the work gets at least as many turns of the loop as there are slices.

    Args:
        work: what is awaited. seconds: for the other side, without those in which the loop was busy.
        at_most: seconds by the clock, busy or not.

    Raises:
        OutOfTimeError: `at_most` was over first. TimeoutError: the other side took longer. The work was cancelled.
    """
    loop, ends = asyncio.get_running_loop(), time.monotonic() + at_most
    slices = 0
    handle: asyncio.TimerHandle | None = None

    def wait(limit: asyncio.Timeout) -> None:
        nonlocal handle
        handle = loop.call_later(min(seconds / SLICES, max(0.0, ends - time.monotonic())), count, limit)

    def count(limit: asyncio.Timeout) -> None:
        nonlocal slices
        slices += 1
        if slices < SLICES and time.monotonic() < ends:
            wait(limit)
        else:
            limit.reschedule(loop.time())

    try:
        async with asyncio.timeout(None) as limit:
            wait(limit)
            return await work
    except TimeoutError:
        if limit.expired() and slices < SLICES:
            raise OutOfTimeError from None
        raise
    finally:
        if handle is not None:
            handle.cancel()
