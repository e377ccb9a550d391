"""What every broker promises, run against each one we have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis

from configs import Settings, load_settings
from configs.errors import ConfigError, PartError
from events.brokers import Broker, Delivery, connect
from events.brokers.redis_streams import RedisStreams
from events.contract import Event
from tests.events.builders import event
from tests.support.ports import free_port

Script = Callable[[Broker], Awaitable[None]]


def settings_for(url: str, **events: int) -> Settings:
    return load_settings(redis={"url": url}, events=events)


@pytest.fixture(params=["redis streams"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings of one real broker, empty."""
    return settings_for(request.getfixturevalue("redis_url"), max_stream_length=1_000)


def run(settings: Settings, script: Script) -> None:
    """Run a script against a connected broker."""

    async def inside() -> None:
        broker = connect(settings)
        assert isinstance(broker, RedisStreams)
        await broker.read("early", limit=1, wait_ms=1)  # makes the group
        broker.idle_ms = 50
        try:
            await script(broker)
        finally:
            await broker.close()

    asyncio.run(inside())


async def read_later(broker: Broker, limit: int = 4) -> list[Delivery]:
    """Return what another consumer is given once nobody has cared for it for a while."""
    await asyncio.sleep(0.12)
    return await broker.read("two", limit=limit, wait_ms=10)


def some(count: int) -> list[Event]:
    return [event("Product Added", f"p{number}", message=f"m{number}") for number in range(count)]


def test_events_come_back_whole_and_in_order(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(1))
        await broker.publish(some(5)[1:])
        taken = await broker.read("one", limit=10, wait_ms=100)
        assert [item.event for item in taken] == some(5)

    run(settings, script)


def test_what_was_not_acknowledged_is_handed_out_again_and_what_was_is_not(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(4))
        taken = await broker.read("one", limit=4, wait_ms=100)
        await broker.acknowledge(taken[:2])
        assert await broker.read("two", limit=4, wait_ms=10) == []
        again = await read_later(broker)
        assert [item.event for item in again] == some(4)[2:]
        assert [item.attempts for item in taken + again] == [1, 1, 1, 1, 2, 2]
        await broker.acknowledge(again)
        assert await read_later(broker) == []

    run(settings, script)


def test_what_another_consumer_took_a_moment_ago_is_left_to_it(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(2))
        assert isinstance(broker, RedisStreams)
        broker.idle_ms = 60_000
        await broker.read("one", limit=2, wait_ms=100)
        assert await broker.read("two", limit=2, wait_ms=10) == []

    run(settings, script)


def test_events_published_before_anyone_listened_are_handed_out_too(settings: Settings) -> None:
    async def inside() -> None:
        early, late = connect(settings), connect(settings)
        await early.publish(some(2))
        assert (await early.lag()).waiting == 2
        assert await late.read("one", limit=9, wait_ms=1) == []  # makes the group
        assert [item.event for item in await late.read("one", limit=9, wait_ms=100)] == some(2)
        await early.close()
        await late.close()

    asyncio.run(inside())


def test_the_lag_tells_what_waits_and_what_is_unacknowledged(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(5))
        taken = await broker.read("one", limit=2, wait_ms=100)
        lag = await broker.lag()
        assert (lag.waiting, lag.unacknowledged) == (3, 2)
        await broker.acknowledge(taken)
        assert (await broker.lag()).unacknowledged == 0

    run(settings, script)


def test_an_entry_that_cannot_be_decoded_is_buried_and_does_not_block(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        with redis.Redis.from_url(settings.redis_url) as client:
            client.xadd(settings.events.stream, {"e": b"garbage"})
            client.xadd(settings.events.stream, {"other": b"field"})
            await broker.publish(some(1))
            taken = await broker.read("one", limit=10, wait_ms=100)
            assert [item.event for item in taken] == some(1)
            await broker.acknowledge(taken)
            assert (await broker.lag()).unacknowledged == 0
            buried = client.xrange(f"{settings.events.stream}:dead")
            assert len(buried) == 2
            assert buried[0][1][b"entry"] == b"garbage"
            assert all(entry[b"reason"] for _, entry in buried)

    run(settings, script)


def test_trimming_a_long_stream_loses_nothing_that_waits(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(3_000))
        seen: list[Event] = []
        while taken := await broker.read("one", limit=500, wait_ms=10):
            seen += [item.event for item in taken]
            await broker.acknowledge(taken)
        assert seen == some(3_000)
        with redis.Redis.from_url(settings.redis_url) as client:
            assert client.xlen(settings.events.stream) <= 1_500

    run(settings, script)


def test_trimming_a_long_stream_loses_nothing_unacknowledged(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(3_000))
        held = (await broker.read("one", limit=500, wait_ms=100))[250:]
        rest = await broker.read("one", limit=2_500, wait_ms=100)
        await broker.acknowledge(rest)
        again = await read_later(broker, limit=1_000)
        assert [item.event for item in again[250:]] == [item.event for item in held]
        assert len(again) == 500

    run(settings, script)


def test_a_broker_that_is_away_does_not_accept(settings: Settings) -> None:
    async def inside() -> None:
        broker = connect(settings_for(f"redis://127.0.0.1:{free_port()}/0"))
        with pytest.raises(PartError, match="did not accept"):
            await broker.publish(some(1))
        await broker.close()

    asyncio.run(inside())


def test_a_scheme_that_nobody_speaks_is_named() -> None:
    with pytest.raises(ConfigError, match="carrier-pigeon"):
        connect(settings_for("carrier-pigeon://loft"))
