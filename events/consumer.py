"""The consumer: applies events to live profiles, at least once and idempotently, so each counts exactly once.

Any number of consumers may run: which of them gets an event, how often and in which order does not matter to the
profiles. A consumer takes a bounded batch, writes it, acknowledges it, and only then takes the next one.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from configs import Settings
from configs.errors import PartError
from configs.logs import configure_logs
from configs.urls import without_password
from events import appended
from events.brokers import Broker, Delivery, connect
from events.brokers.base import Lag
from events.profiles import ProfileStore
from events.working import WAIT_MS, own_name, run_until_told, step_until

HEARTBEAT_SECONDS = 1.0
LAG_SECONDS = 5.0
"""Brokers may have to count what waits, so it is asked for less often than the heart beats."""
GONE_SECONDS = 60.0
"""After so long without a heartbeat a consumer is no longer counted as one."""
SUSPECT_TIMES = 3
"""Times `events.max_attempts` that an event may be handed out before it is buried untried."""
AWAY = (RedisError, OSError, PartError)
"""What passes: Redis or the broker does not answer now."""

HEARTBEAT = "tillwise:consumer:heartbeats"
"""Redis hash: name of each consumer → its newest heartbeat, see `beats_of`."""

log = structlog.get_logger()


def run_consumer(settings: Settings) -> None:
    """Consume until SIGTERM or SIGINT, then finish the batch in hand and return."""
    configure_logs(settings.log.level, settings.log.format, process="consumer")
    run_until_told(partial(consume, settings))


def beats_of(answer: dict[bytes, bytes]) -> list[dict[str, Any]]:
    """Return the heartbeats of the hash `HEARTBEAT`, the newest first.

    Each holds name, pid, applied and buried (events, since it started), waiting and unacknowledged (events of the
    group), last_event_at and at (unix seconds).
    """
    return sorted((json.loads(raw) for raw in answer.values()), key=lambda beat: -float(beat["at"]))


async def consume(settings: Settings, stop: asyncio.Event) -> None:
    """Apply events as they come until `stop` is set; while Redis or the broker is away, wait for it."""
    broker = connect(settings)
    client = redis.Redis.from_url(settings.redis_url, socket_timeout=10, socket_connect_timeout=2)
    worker = Worker(settings, broker, client)
    log.info("consuming", broker=without_password(settings.broker_url), stream=settings.events.stream)
    try:
        await step_until(stop, worker.step, AWAY)
    finally:
        await worker.leave()
        await broker.close()
        await client.aclose()
        log.info("stopped", applied=worker.applied, buried=worker.buried)


class Worker:
    """One consumer's work, step by step.

    Attributes:
        name: of the consumer, unique among those that run. applied, buried: events since it started.
    """

    def __init__(self, settings: Settings, broker: Broker, client: redis.Redis) -> None:
        self._broker = broker
        # Any: redis-py declares answers as "value or awaitable".
        self._redis: Any = client
        self._profiles = ProfileStore(client, settings.events)
        # One append-only file for both holds what was applied before what was acknowledged.
        self._apart = settings.broker_url != settings.redis_url
        self._batch, self._max_attempts = settings.events.batch, settings.events.max_attempts
        self.name = own_name()
        self._last_event_at = 0.0
        self._next_beat = self._lag_at = 0.0
        self._lag = Lag(0, 0)
        self.applied = self.buried = 0

    async def step(self) -> None:
        """Take one batch, apply it and acknowledge it."""
        now = time.monotonic()
        if now >= self._next_beat:
            await self._beat()
            self._next_beat = now + HEARTBEAT_SECONDS
        deliveries = await self._broker.read(self.name, limit=self._batch, wait_ms=WAIT_MS)
        if deliveries:
            suspects = [item for item in deliveries if item.attempts > self._max_attempts]
            sound = [item for item in deliveries if item.attempts <= self._max_attempts]
            if sound:
                await self._apply(sound)
            await self._one_by_one(suspects)

    async def leave(self) -> None:
        """Take the heartbeat back: a consumer that ended is not one that hangs."""
        try:
            await self._redis.hdel(HEARTBEAT, self.name)
        except (RedisError, OSError):
            return  # the others drop it in a while

    async def _apply(self, deliveries: Sequence[Delivery]) -> None:
        try:
            await self._profiles.apply([item.event for item in deliveries])
        except AWAY:
            raise  # nothing is wrong with the events: the whole batch is delivered again
        except Exception:  # one of the events is poison; the others are not to wait for it
            log.exception("a batch cannot be applied, trying its events one by one", events=len(deliveries))
            await self._one_by_one(deliveries)
        else:
            await self._done(deliveries)

    async def _one_by_one(self, deliveries: Sequence[Delivery]) -> None:
        """Apply and acknowledge each by itself, in any order.

        An event that ends the whole process counts against all that were taken with it. So they are tried alone once
        they came too often, in another order each time, until only the culprit is left to be buried.
        """
        for item in random.sample(deliveries, len(deliveries)):
            if item.attempts > SUSPECT_TIMES * self._max_attempts:
                await self._bury(item, f"was handed out {item.attempts - 1} times and never finished")
            elif await self._alone(item):
                await self._done([item])

    async def _done(self, deliveries: Sequence[Delivery]) -> None:
        if self._apart:
            await appended.until_appended(self._redis)
        await self._broker.acknowledge(deliveries)
        self.applied += len(deliveries)
        self._last_event_at = max(self._last_event_at, *(item.event.occurred_at for item in deliveries), 0.0)

    async def _alone(self, delivery: Delivery) -> bool:
        """Apply one event; return whether it was. One that failed too often is buried, else it comes again."""
        try:
            await self._profiles.apply([delivery.event])
        except AWAY:
            raise
        except Exception as error:
            if delivery.attempts >= self._max_attempts:
                await self._bury(delivery, f"could not be applied in {delivery.attempts} attempts: {error!r}")
            return False
        return True

    async def _bury(self, delivery: Delivery, reason: str) -> None:
        await self._broker.bury(delivery, reason)
        self.buried += 1
        log.error("event buried", message=delivery.event.message_id, reason=reason)

    async def _beat(self) -> None:
        now = time.time()
        if now - self._lag_at >= LAG_SECONDS:
            self._lag, self._lag_at = await self._broker.lag(), now
        beat = {
            "name": self.name,
            "pid": os.getpid(),
            "applied": self.applied,
            "buried": self.buried,
            "waiting": self._lag.waiting,
            "unacknowledged": self._lag.unacknowledged,
            "last_event_at": self._last_event_at,
            "at": now,
        }
        await self._redis.hset(HEARTBEAT, self.name, json.dumps(beat))
        gone = [
            other["name"]
            for other in beats_of(await self._redis.hgetall(HEARTBEAT))
            if now - other["at"] > GONE_SECONDS
        ]
        if gone:
            await self._redis.hdel(HEARTBEAT, *gone)
