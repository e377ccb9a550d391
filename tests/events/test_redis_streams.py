"""What only Redis streams do: trim, count over processes, recover from an emptied server."""

from __future__ import annotations

import asyncio

import pytest
import redis

from configs import Settings
from events.brokers import Broker, Delivery
from events.contract import Event
from tests.events.builders import event
from tests.support.brokers import broker_settings, connected


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """One stream, so that all is in one partition."""
    return broker_settings(request, "redis streams", partitions=1, reclaim_idle_ms=300)


def some(count: int) -> list[Event]:
    return [event("Product Added", "p", message=f"m{number}") for number in range(count)]


def length(settings: Settings) -> int:
    with redis.Redis.from_url(settings.broker_url) as client:
        return int(client.xlen(f"{settings.events.stream}:0"))  # type: ignore[arg-type] # value or awaitable, it says


async def finish(broker: Broker, count: int) -> list[Event]:
    """Take and acknowledge so many events."""
    seen: list[Event] = []
    while len(seen) < count:
        taken = await broker.read("one", limit=500, wait_ms=100)
        await broker.acknowledge(taken)
        seen += [item.event for item in taken]
    return seen


def test_a_long_stream_is_trimmed_to_what_some_group_still_needs(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as profiles, connected(settings, settings.events.record_group) as record:
            await profiles.publish(some(3_000))
            assert await finish(profiles, 3_000) == some(3_000)
            assert length(settings) == 3_000, "the other group has not begun"
            assert await finish(record, 1_500) == some(1_500)
            assert length(settings) == 1_500
            assert await finish(record, 1_500) == some(3_000)[1_500:]
            assert length(settings) <= 1_000

    asyncio.run(inside())


def test_trimming_leaves_what_is_unacknowledged(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as profiles, connected(settings, settings.events.record_group) as record:
            await profiles.publish(some(3_000))
            await finish(record, 3_000)
            held = await profiles.read("gone", limit=500, wait_ms=100)
            for _ in range(5):
                await profiles.acknowledge(await profiles.read("busy", limit=500, wait_ms=100))
        await asyncio.sleep(0.4)
        async with connected(settings) as other:
            again = await other.read("two", limit=1_000, wait_ms=100)
            assert [item.event for item in again] == [item.event for item in held] == some(500)

    asyncio.run(inside())


def test_hand_outs_are_counted_over_processes(settings: Settings) -> None:
    async def inside() -> None:
        for attempt in (1, 2, 3):
            async with connected(settings) as broker:
                if attempt == 1:
                    await broker.publish(some(2))
                taken = await broker.read(f"consumer {attempt}", limit=5, wait_ms=100)
                assert [item.attempts for item in taken] == [attempt, attempt]
            await asyncio.sleep(0.4)

    asyncio.run(inside())


def test_a_hot_partition_fills_what_the_others_leave(request: pytest.FixtureRequest) -> None:
    settings = broker_settings(request, "redis streams", partitions=16)

    async def inside() -> None:
        async with connected(settings) as broker:
            await broker.publish(some(300))
            assert [item.event for item in await broker.read("one", limit=200, wait_ms=100)] == some(200)
            assert [item.event for item in await broker.read("one", limit=5, wait_ms=100)] == some(205)[200:]

    asyncio.run(inside())


def test_nothing_is_taken_that_is_not_handed_out(request: pytest.FixtureRequest) -> None:
    settings = broker_settings(request, "redis streams", partitions=8)
    sent = [event("Product Added", "p", message=str(number), session=f"s{number}") for number in range(400)]

    async def inside() -> None:
        async with connected(settings) as broker:
            await broker.publish(sent)
            for limit in (20, 13, 8, 50):
                taken = await broker.read("one", limit=limit, wait_ms=100)
                assert len(taken) == limit
                await broker.acknowledge(taken)
                assert (await broker.lag()).unacknowledged == 0

    asyncio.run(inside())


def test_an_emptied_server_is_taken_as_a_new_one(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as broker:
            await broker.publish(some(1))
            assert len(await broker.read("one", limit=5, wait_ms=100)) == 1
            with redis.Redis.from_url(settings.broker_url) as client:
                client.flushall()
            await broker.publish(some(3))
            seen: list[Delivery] = []
            while len(seen) < 3:
                seen += await broker.read("one", limit=5, wait_ms=100)
            assert [item.event for item in seen] == some(3)
            assert (await broker.lag()).unacknowledged == 3

    asyncio.run(inside())
