"""What brokers keep of a person: dead letters go, and the receipt says of the rest until when it stays."""

from __future__ import annotations

import asyncio
import json

import pytest
import redis.asyncio as redis

from configs import Settings
from events.broker_erasers import IN_RABBITMQ, KafkaKeeps, broker_erasers
from events.brokers import kafka_retention
from events.erasure import Part
from events.redis_erasers import StreamEraser
from tests.events.builders import NOW, event
from tests.support.brokers import SERVERS, broker_settings, connected

PERSON = ["anna-cookie", "anna-account"]
WHERE = {
    "redis streams": "broker redis: event stream",
    "kafka": "kafka: events and dead letters",
    "rabbitmq": "rabbitmq: events and dead letters",
}


@pytest.fixture(params=sorted(SERVERS))
def settings(request: pytest.FixtureRequest) -> Settings:
    """A broker that is not the Redis of the profiles."""
    return broker_settings(request, request.param, partitions=1)


async def erase(settings: Settings) -> Part:
    async with connected(settings) as broker:
        client = redis.Redis.from_url(settings.redis_url)  # the profiles'; no eraser of a broker asks it
        (eraser,) = broker_erasers(settings, broker, client)
        part = await eraser.erase(PERSON, NOW)
        await client.aclose()
        return part


def test_their_dead_letters_go_and_those_of_others_stay(settings: Settings) -> None:
    hers, others = event("Product Added", "p", shopper="anna-account"), event("Product Added", "p", shopper="berta")

    async def inside() -> tuple[Part, list[bytes]]:
        async with connected(settings) as broker:
            await broker.reject(json.dumps({"userId": "anna-account"}).encode(), "track", "event", "is missing")
            await broker.reject(json.dumps({"userId": "berta"}).encode(), "track", "event", "is missing")
            await broker.publish([hers, others])
            taken = []
            while len(taken) < 2:
                taken += await broker.read("one", limit=2, wait_ms=200)
            for item in taken:
                await broker.bury(item, "could not be applied")
        part = await erase(settings)
        async with connected(settings) as broker:
            return part, [letter.body for letter in await broker.dead_letters(100)]

    part, left = asyncio.run(inside())
    assert part.removed["dead letters"] == 2
    assert len(left) == 2
    assert all(b"anna" not in body and b"berta" in body for body in left)
    (where,) = [name for kind, name in WHERE.items() if name == part.where]
    if where.startswith("rabbitmq"):
        assert part.left == IN_RABBITMQ
    elif where.startswith("kafka"):
        assert part.left is not None
        assert settings.events.stream.replace(":", ".") in part.left


@pytest.mark.parametrize(
    ("days", "said"),
    [(7.0, "until 7 days after they came"), (kafka_retention.FOREVER, "for ever"), (None, "did not tell")],
)
def test_the_receipt_tells_how_long_kafka_keeps_events(
    days: float | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def told(url: str, topic: str) -> float | None:
        asked.append((url, topic))
        return days

    monkeypatch.setattr(kafka_retention, "retention_days", told)
    left = asyncio.run(KafkaKeeps("kafka://host:1", "tillwise:events").left())
    assert asked == [("kafka://host:1", "tillwise.events")]
    assert said in left


def test_a_kafka_that_does_not_answer_tells_no_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_retention, "ANSWER_SECONDS", 0.3)
    assert kafka_retention.retention_days("kafka://127.0.0.1:1", "topic") is None


def test_the_redis_that_holds_profiles_is_not_opened_twice(request: pytest.FixtureRequest) -> None:
    settings = broker_settings(request, "redis streams")
    same = settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": settings.broker_url})})

    async def inside() -> None:
        async with connected(same) as broker, redis.Redis.from_url(same.redis_url) as client:
            (eraser,) = broker_erasers(same, broker, client)
            assert isinstance(eraser, StreamEraser)

    asyncio.run(inside())
