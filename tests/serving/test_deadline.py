"""What came in time counts, however busy this process was; what did not is given up."""

from __future__ import annotations

import asyncio
import time

import pytest
import redis.asyncio

from serving.deadline import in_time


def test_an_answer_that_came_while_the_loop_was_busy_is_no_timeout(redis_url: str) -> None:
    async def busy() -> None:
        await asyncio.sleep(0)
        time.sleep(0.1)  # as ranking another request would

    async def script() -> bytes:
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            await client.set("key", "value")
            asking = asyncio.ensure_future(in_time(client.get("key"), 0.02))
            await asyncio.gather(busy(), return_exceptions=False)
            return bytes(await asking)

    assert asyncio.run(script()) == b"value"


def test_what_takes_too_long_is_cancelled() -> None:
    cancelled = []

    async def slow() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def script() -> None:
        with pytest.raises(TimeoutError):
            await in_time(slow(), 0.01)
        await asyncio.sleep(0)

    asyncio.run(script())
    assert cancelled == [True]


def test_errors_of_the_work_are_its_caller_s() -> None:
    async def broken() -> None:
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        asyncio.run(in_time(broken(), 1.0))


def test_a_caller_that_gives_up_takes_the_work_with_it() -> None:
    async def script() -> bool:
        work = asyncio.ensure_future(asyncio.sleep(10))
        waiting = asyncio.ensure_future(in_time(work, 5.0))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, work, return_exceptions=True)
        return work.cancelled()

    assert asyncio.run(script())
