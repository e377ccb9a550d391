"""A broker that dies while it is used: nobody is told that an event was accepted which then is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from configs import Settings, load_settings
from configs.errors import PartError
from events.brokers import Broker, Delivery, connect
from events.embedded import EmbeddedRedis
from tests.events.builders import event
from tests.support.kafka import Kafka
from tests.support.ports import free_port
from tests.support.rabbitmq import RabbitMQ, installed

PATIENCE = 300
"""Tries to reach a broker that comes back."""


@dataclass
class Server:
    """A broker of the test's own."""

    settings: Settings
    kill: Callable[[], None]
    start: Callable[[], None]
    settles: float = 0.0
    """Seconds after which a queue that was made outlives a crash; what is accepted by it then does at once."""


@pytest.fixture
def redis_streams(tmp_path: Path) -> Iterator[Server]:
    """Redis with its append-only file."""
    with EmbeddedRedis(free_port(), tmp_path) as server:

        def kill() -> None:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            server.stop()  # waits for its end

        yield Server(small(server.url), kill, server.start)


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[Server]:
    """RabbitMQ with quorum queues."""
    installed()
    server = RabbitMQ(tmp_path)
    server.start()
    yield Server(small(server.url), server.kill, server.start, settles=3.0)
    server.stop()


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Server]:
    """A broker of the Kafka protocol that forgets everything when it ends."""
    server = Kafka(tmp_path)
    server.start()
    yield Server(small(server.url), server.stop, server.start)
    server.stop()


def small(url: str) -> Settings:
    return load_settings(events={"broker_url": url, "partitions": 2, "reclaim_idle_ms": 60_000})


async def publish_until_accepted(broker: Broker, message: str) -> None:
    """Publish an event as a client does: again and again until it is accepted."""
    for _ in range(PATIENCE):
        try:
            await broker.publish([event("Product Added", "p", message=message)])
        except PartError:
            await asyncio.sleep(0.1)
        else:
            return
    pytest.fail("the broker did not come back")


async def take_until(broker: Broker, message: str) -> list[Delivery]:
    """Return what is handed out up to a message."""
    taken: list[Delivery] = []
    for _ in range(PATIENCE):
        try:
            taken += await broker.read("one", limit=10, wait_ms=100)
        except PartError:
            await asyncio.sleep(0.1)
        if message in {item.event.message_id for item in taken}:
            return taken
    pytest.fail("the event did not come")


@pytest.mark.parametrize("name", ["redis_streams", "rabbitmq"])
def test_what_was_accepted_survives_a_killed_broker_and_clients_find_back(
    request: pytest.FixtureRequest, name: str
) -> None:
    server: Server = request.getfixturevalue(name)

    async def inside() -> None:
        broker = connect(server.settings)
        assert (await broker.lag()).waiting == 0
        await asyncio.sleep(server.settles)
        await broker.publish([event("Product Added", "p", message=f"before-{number}") for number in range(50)])
        taken = await take_until(broker, "before-9")
        server.kill()
        with pytest.raises(PartError):
            await broker.publish([event("Product Added", "p", message="refused")])
        await asyncio.to_thread(server.start)
        await publish_until_accepted(broker, "after")
        again = await take_until(broker, "after")
        seen = {item.event.message_id for item in taken + again}
        assert seen >= {f"before-{number}" for number in range(50)} | {"after"}
        await broker.acknowledge(taken)  # too late for a lost connection, and no error
        await broker.close()

    asyncio.run(inside())


def test_kafka_s_clients_tell_that_it_is_gone(kafka: Server) -> None:
    async def inside() -> None:
        broker = connect(kafka.settings)
        await broker.publish([event("Product Added", "p", message="before")])
        await take_until(broker, "before")
        kafka.kill()
        with pytest.raises(PartError, match="did not accept"):
            await broker.publish([event("Product Added", "p", message="refused")])
        await broker.close()

    asyncio.run(inside())
