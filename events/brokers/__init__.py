"""The durable stream between whoever collects events and whoever consumes them, chosen by URL.

Comes in: events. Goes out: the same events, at least once, to every group. Called by `serving` (publish) and the
consumers (read, acknowledge); `tillwise dead-letters` looks at what could not be taken.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from configs import Settings
from configs.errors import ConfigError
from events.brokers.base import Broker, DeadLetter, Delivery, Lag


def connect(settings: Settings, group: str | None = None) -> Broker:
    """Return the broker that the settings name; nothing is connected before its first use.

    Only the client library that the URL asks for is loaded.

    Args:
        settings: `events.broker_url` chooses; without one it is the Redis of `redis_url`.
        group: that reads; None: `events.group`.

    Raises:
        ConfigError: the URL's scheme is not supported.
    """
    url, events = settings.broker_url, settings.events
    group = group or events.group
    scheme = urlsplit(url).scheme
    if scheme in {"redis", "rediss", "unix"}:
        from events.brokers.redis_streams import RedisStreams

        return RedisStreams(url, events, group)
    if scheme == "kafka":
        from events.brokers.kafka import Kafka

        return Kafka(url, events, group)
    if scheme in {"amqp", "amqps"}:
        from events.brokers.rabbitmq import RabbitMQ

        return RabbitMQ(url, events, group)
    raise ConfigError(
        f"No broker speaks {scheme}:// (TILLWISE_EVENTS__BROKER_URL, else TILLWISE_REDIS__URL): use redis://, "
        "rediss://, unix://, kafka://, amqp:// or amqps://."
    )


__all__ = ["Broker", "DeadLetter", "Delivery", "Lag", "connect"]
