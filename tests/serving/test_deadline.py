"""What came in time counts, however busy this process was; what did not is given up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis.asyncio
import uvloop

from serving.deadline import SLICES, OutOfTimeError, in_time


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


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_healthy_redis_is_read_while_others_are_ranked_in_every_turn_of_the_loop(redis_url: str, run: Any) -> None:
    """The cause of rare fallbacks beside a healthy Redis: four sessions at once, each ranked on the event loop.

    To connect, ask and read takes several turns, and each of them took longer than Redis was given in all.
    """

    async def rank(stop: asyncio.Event) -> None:
        while not stop.is_set():
            time.sleep(0.024)
            await asyncio.sleep(0)

    async def script() -> bytes:
        stop = asyncio.Event()
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            ranking = asyncio.ensure_future(rank(stop))
            try:
                await client.set("key", "value")
                await client.connection_pool.disconnect()
                return bytes(await in_time(client.get("key"), 0.02))
            finally:
                stop.set()
                await ranking

    assert run(script()) == b"value"


def test_our_own_lack_of_time_is_told_from_a_slow_other_side() -> None:
    async def script() -> None:
        with pytest.raises(OutOfTimeError):
            await in_time(asyncio.sleep(10), 5.0, 0.01)
        with pytest.raises(TimeoutError) as slow:
            await in_time(asyncio.sleep(10), 0.01, 5.0)
        assert not isinstance(slow.value, OutOfTimeError)
        with pytest.raises(OutOfTimeError):
            await in_time(asyncio.sleep(10), 5.0, 0.0)

    asyncio.run(script())


def test_an_idle_process_waits_as_long_as_it_was_told() -> None:
    async def script() -> float:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            await in_time(asyncio.sleep(10), 0.2)
        return time.monotonic() - started

    assert asyncio.run(script()) > 0.2 * (SLICES - 1) / SLICES


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
