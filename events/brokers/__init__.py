"""The durable stream between whoever collects events and whoever consumes them, chosen by URL.

Comes in: events. Goes out: the same events, at least once, oldest first. Called by `serving` (publish) and the
consumer (read, acknowledge).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from configs import Settings
from configs.errors import ConfigError
from events.brokers.base import Broker, Delivery
from events.brokers.redis_streams import RedisStreams


def connect(settings: Settings, group: str | None = None) -> Broker:
    """Return the broker that the settings name, as a consumer group sees it; None: the one of the profiles.

    Nothing is connected before its first use.

    Raises:
        ConfigError: the URL's scheme is not supported.
    """
    scheme = urlsplit(settings.redis_url).scheme
    if scheme not in {"redis", "rediss", "unix"}:
        raise ConfigError(f"No broker speaks {scheme}:// (TILLWISE_REDIS__URL): use redis:// or rediss://.")
    return RedisStreams(settings.redis_url, settings.events, group)


__all__ = ["Broker", "Delivery", "connect"]
