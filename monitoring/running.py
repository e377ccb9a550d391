"""The status of what runs: Redis, the consumer, the service."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import redis
import redis.asyncio

from configs import Settings
from configs.errors import NotBuiltError, PartError
from configs.moments import moment
from configs.urls import without_password
from events.brokers import Lag, connect
from events.consumer import HEARTBEAT, HEARTBEAT_SECONDS, beats_of
from features.store import is_materialized
from monitoring.area import MISSED_BEATS, UP, Area

TIMEOUT_SECONDS = 2.0
MIB = 2**20


def redis_area(settings: Settings) -> Area:
    """Return whether Redis answers and holds the features that are built now."""
    # Typed Any: the library declares every answer as "value or awaitable".
    client = _client(settings)
    try:
        server, keys = client.info(), client.dbsize()
        holds = is_materialized(settings)
    except (redis.RedisError, PartError) as error:
        return Area("redis", "not running", {"url": without_password(settings.redis_url), "error": str(error)}, fix=UP)
    except NotBuiltError:
        holds = False
    finally:
        client.close()
    facts = {
        "url": without_password(settings.redis_url),
        "version": server["redis_version"],
        "keys": keys,
        "memory_mib": round(server["used_memory"] / MIB, 1),
        "holds_newest_features": holds,
    }
    return Area("redis", "ok", facts) if holds else Area("redis", "stale", facts, fix="tillwise materialize")


def consumer_area(settings: Settings) -> Area:
    """Return whether consumers work, and how many events wait for them; one that hangs makes the area failing."""
    try:
        beats, lag = asyncio.run(_consumers(settings))
    except redis.RedisError as error:
        return Area("consumer", "not running", {"error": f"Redis does not answer: {error}"}, fix=UP)
    except PartError as error:
        return Area("consumer", "not running", {"error": str(error)}, fix=UP)
    facts: dict[str, Any] = {
        "broker": without_password(settings.broker_url),
        "events_waiting": lag.waiting,
        "events_unacknowledged": lag.unacknowledged,
    }
    if not beats:
        return Area("consumer", "not running", facts, fix=UP)
    oldest = max(time.time() - beat["at"] for beat in beats)
    newest = max(beat["last_event_at"] for beat in beats)
    facts |= {
        "process": ", ".join(sorted(beat["name"] for beat in beats)),
        "seconds_since_heartbeat": round(oldest, 1),
        "events_applied": sum(beat["applied"] for beat in beats),
        "newest_event_at": moment(newest) if newest else None,
    }
    if oldest > MISSED_BEATS * HEARTBEAT_SECONDS:
        return Area("consumer", "failing", facts, fix=f"see {settings.work.logs / 'consumer.log'}")
    return Area("consumer", "ok", facts)


def service_area(settings: Settings) -> Area:
    """Return whether the service is ready, and what it says about itself."""
    facts: dict[str, Any] = {"url": settings.service_url}
    try:
        with httpx.Client(base_url=settings.service_url, timeout=TIMEOUT_SECONDS) as http:
            ready = http.get("/readyz")
            told = http.get("/v1/status")
    except httpx.HTTPError as error:
        return Area("service", "not running", facts | {"error": str(error)}, fix=UP)
    if ready.status_code != httpx.codes.OK or told.status_code != httpx.codes.OK:
        codes = {"readyz": ready.status_code, "status": told.status_code}
        return Area("service", "failing", facts | codes, fix=f"see {settings.work.logs / 'service.log'}")
    facts |= told.json()
    if facts["model"] is not None and facts["model"]["refused"] is not None:
        return Area("service", "stale", facts, fix="tillwise rollback, or promote another version")
    if facts["rules"] is not None and facts["rules"]["refused"] is not None:
        return Area("service", "stale", facts, fix="correct the rules file as rules.refused says")
    if facts["release"] is not None and facts["release"]["refused"] is not None:
        return Area("service", "stale", facts, fix="do what release.refused says, or `tillwise release stop`")
    return Area("service", "ok", facts)


async def _consumers(settings: Settings) -> tuple[list[dict[str, Any]], Lag]:
    broker = connect(settings)
    client: Any = redis.asyncio.Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_SECONDS)
    try:
        return beats_of(await client.hgetall(HEARTBEAT)), await broker.lag()
    finally:
        await client.aclose()
        await broker.close()


def _client(settings: Settings) -> Any:
    return redis.Redis.from_url(
        settings.redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
