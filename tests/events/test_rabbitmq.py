"""What only RabbitMQ does: one active reader of a queue, counting over processes, queues that were there before."""

from __future__ import annotations

import asyncio

import aio_pika
import pytest

from configs import Settings
from events.brokers import Delivery
from tests.events.builders import event
from tests.support.brokers import broker_settings, connected


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """One partition."""
    return broker_settings(request, "rabbitmq", partitions=1, reclaim_idle_ms=60_000)


def test_a_second_consumer_stands_by_and_hand_outs_are_counted(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as second:
            async with connected(settings) as first:
                await first.publish([event("Product Added", "p", message=str(number)) for number in range(3)])
                taken: list[Delivery] = []
                while len(taken) < 3:
                    taken += await first.read("one", limit=3, wait_ms=200)
                assert await second.read("two", limit=3, wait_ms=500) == []
            again: list[Delivery] = []
            while len(again) < 3:
                again += await second.read("two", limit=3, wait_ms=200)
            assert [item.event.message_id for item in again] == ["0", "1", "2"]
            assert [item.attempts for item in again] == [2, 2, 2]

    asyncio.run(inside())


def test_a_classic_queue_that_was_there_before_is_used_as_it_is(settings: Settings) -> None:
    async def make_classic() -> None:
        async with await aio_pika.connect(settings.broker_url) as connection:
            channel = await connection.channel()
            await channel.declare_queue(f"{settings.events.stream}.{settings.events.group}.0", durable=True)

    async def inside() -> None:
        await make_classic()
        sent = event("Product Added", "p")
        async with connected(settings) as broker:
            await broker.publish([sent])
            (taken,) = await broker.read("one", limit=1, wait_ms=5_000)
            assert (taken.event, taken.attempts) == (sent, 1)
        async with connected(settings) as broker:
            (taken,) = await broker.read("one", limit=1, wait_ms=5_000)
            assert (taken.event, taken.attempts) == (sent, 2)

    asyncio.run(inside())


def test_a_deleted_queue_is_made_again(settings: Settings) -> None:
    async def delete() -> None:
        async with await aio_pika.connect(settings.broker_url) as connection:
            await (await connection.channel()).queue_delete(f"{settings.events.stream}.{settings.events.group}.0")

    async def inside() -> None:
        async with connected(settings) as broker:
            assert await broker.read("one", limit=1, wait_ms=10) == []
            await delete()
            await broker.read("one", limit=1, wait_ms=500)
            await broker.read("one", limit=1, wait_ms=10)
            sent = event("Product Added", "p")
            await broker.publish([sent])
            (taken,) = await broker.read("one", limit=1, wait_ms=5_000)
            assert taken.event == sent

    asyncio.run(inside())
