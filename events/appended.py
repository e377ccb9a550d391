"""Waiting until Redis has handed its newest writes to the operating system, so that a killed server keeps them.

With `appendfsync everysec` Redis answers a write before it is in the append-only file whenever the flush of the second
before is still under way (up to two seconds on a busy disk). A server killed then forgets what it had answered.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.exceptions import ResponseError

PAUSE_SECONDS = 0.001


async def until_appended(redis: Any) -> None:
    """Return once all that Redis has answered to anybody so far lies in its append-only file.

    At once where there is no such file, or where the server does not let us ask.

    Args:
        redis: an asyncio client.

    Raises:
        RedisError: Redis does not answer.
    """
    awaited = size = 0
    while True:
        try:
            told = await redis.info("persistence")
        except ResponseError:
            return
        before, size, held = size, int(told.get("aof_current_size", 0)), int(told.get("aof_buffer_length", 0))
        if not held or (awaited and awaited <= size):
            return
        if not awaited or size < before:  # smaller: the file was rewritten
            awaited = size + held
        await asyncio.sleep(PAUSE_SECONDS)
