"""The brokers that contract tests run against: real ones, each test with a stream of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
import redis
from confluent_kafka import Producer

from configs import Settings, load_settings
from events.brokers import Broker, connect
from events.brokers.kafka_topics import client_config

SERVERS = {"redis streams": "redis_url", "kafka": "kafka_server", "rabbitmq": "rabbitmq_server"}
"""The fixture that brings each broker."""

SMALL: dict[str, Any] = {"partitions": 3, "reclaim_idle_ms": 400, "max_stream_length": 1_000}
"""Settings that let a test see every partition and not wait long."""


def broker_settings(request: pytest.FixtureRequest, name: str, **events: Any) -> Settings:
    """Return settings of a broker of that name, with a stream that nobody used before."""
    server = request.getfixturevalue(SERVERS[name])
    url = server if isinstance(server, str) else server.url
    own = {"broker_url": url, "stream": f"test:{uuid.uuid4().hex[:8]}"}
    return load_settings(events=SMALL | own | events)


@asynccontextmanager
async def connected(settings: Settings, group: str | None = None) -> AsyncIterator[Broker]:
    """A broker, closed with the block."""
    broker = connect(settings, group)
    try:
        yield broker
    finally:
        await broker.close()


def put_raw(settings: Settings, entries: Sequence[bytes]) -> None:
    """Put bytes into partition 0 as a foreign program might, past our own code."""
    url, stream = settings.broker_url, settings.events.stream
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            for raw in entries:
                client.xadd(f"{stream}:0", {"e": raw})
    elif url.startswith("kafka"):
        producer = Producer(client_config(url))
        for raw in entries:
            producer.produce(stream.replace(":", "."), raw, partition=0)
        assert producer.flush(10) == 0
    else:
        asyncio.run(_put_to_exchange(url, stream, entries))


async def _put_to_exchange(url: str, name: str, entries: Sequence[bytes]) -> None:
    async with await aio_pika.connect(url) as connection:
        exchange = await (await connection.channel()).get_exchange(name, ensure=False)
        for raw in entries:
            await exchange.publish(aio_pika.Message(raw), routing_key="0")
