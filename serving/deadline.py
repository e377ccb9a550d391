"""A deadline that means the other side: time in which this process itself was busy does not count against an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def in_time(work: Awaitable[T], seconds: float) -> T:
    """Return what `work` returns, unless it takes longer than `seconds`.

    Ranking another request keeps the event loop busy for milliseconds. By what this process notices the deadline too
    late, the other side gets more time, at most as much again: the answer may have come long ago, or the question may
    have gone out only now.

    Raises:
        TimeoutError: it took longer; the work was cancelled.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            await asyncio.wait({task}, timeout=min(loop.time() - ends, seconds))
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
