"""A deadline that means the other side: time in which this process itself was busy does not count against an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

TURNS = 8
"""Turns of the event loop that an answer which lies in the socket needs to be read and handed on; a few to spare."""


async def in_time(work: Awaitable[T], seconds: float) -> T:
    """Return what `work` returns, unless it takes longer than `seconds`.

    Ranking another request keeps the event loop busy for milliseconds. When the deadline passes meanwhile, the answer
    may have come long ago: it is looked for once more before it counts as missing.

    Raises:
        TimeoutError: it took longer; the work was cancelled.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        for _ in range(TURNS):
            if task.done():
                return task.result()
            await asyncio.sleep(0)
        raise TimeoutError
    finally:
        task.cancel()
