"""What the broker keeps of people: erased where it can be, else the receipt says what is left and until when."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as redis

from configs import Settings
from events.brokers import Broker
from events.erasure import Eraser, Part
from events.mentions import Mentions
from events.redis_erasers import LogEraser, StreamEraser

IN_RABBITMQ = (
    "RabbitMQ cannot take single events out of a queue: those that wait go when consumer and recorder take them, which "
    "drop them."
)


def broker_erasers(settings: Settings, broker: Broker, profiles: Any) -> list[Eraser]:
    """Return who erases events and dead letters at the broker.

    Args:
        settings: which broker. broker: connected to it. profiles: asynchronous client of the Redis that holds profiles.
    """
    scheme = urlsplit(settings.broker_url).scheme
    if scheme == "kafka":
        return [LettersEraser(broker, "kafka", KafkaKeeps(settings.broker_url, settings.events.stream))]
    if scheme in {"amqp", "amqps"}:
        return [LettersEraser(broker, "rabbitmq", RabbitKeeps())]
    if settings.broker_url == settings.redis_url:
        return [StreamEraser(profiles, settings.events)]
    return [OwnRedisEraser(settings)]


class RabbitKeeps:
    """Says what RabbitMQ keeps."""

    async def left(self) -> str:
        """Return what is left, and until when."""
        return IN_RABBITMQ


class KafkaKeeps:
    """Says what Kafka keeps.

    Args:
        url: kafka:// URL. stream: the setting `events.stream`.
    """

    def __init__(self, url: str, stream: str) -> None:
        self._url, self._topic = url, stream.replace(":", ".")

    async def left(self) -> str:
        """Return what is left, and until when."""
        from events.brokers.kafka_retention import FOREVER, retention_days

        days = await asyncio.to_thread(retention_days, self._url, self._topic)
        if days is None:
            until = f"until retention.ms of the topic {self._topic} is over (the broker did not tell it)"
        elif days == FOREVER:
            until = f"for ever, because retention.ms of the topic {self._topic} is -1: set it"
        else:
            until = f"until {days:g} days after they came (retention.ms of the topic {self._topic})"
        return (
            f"Kafka cannot take out single events: those of the person stay {until}; consumer and recorder drop them. "
            "Erased dead letters go when Kafka next compacts their topics."
        )


class LettersEraser:
    """The dead letters of a broker that cannot erase events.

    Args:
        broker: of any kind. name: what the receipt calls it. keeps: says what is left.
    """

    def __init__(self, broker: Broker, name: str, keeps: RabbitKeeps | KafkaKeeps) -> None:
        self._broker, self._name, self._keeps = broker, name, keeps

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`.

        Raises:
            PartError: the broker does not answer.
        """
        mentions = Mentions(ids)
        found = [letter.id for letter in await self._broker.dead_letters(sys.maxsize) if mentions.are_in(letter.body)]
        await self._broker.forget(found)
        return Part(f"{self._name}: events and dead letters", {"dead letters": len(found)}, await self._keeps.left())


class OwnRedisEraser:
    """The event stream in a Redis of its own, and that Redis' append-only file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`."""
        async with redis.Redis.from_url(self._settings.broker_url, socket_timeout=30) as client:
            stream = await StreamEraser(client, self._settings.events).erase(ids, at)
            log = await LogEraser(client).erase(ids, at)
        left = " ".join(text for text in (stream.left, log.left) if text)
        return Part("broker redis: event stream", stream.removed, left or None)
