"""The consumer: applies events to session records, at least once and idempotently, so each counts exactly once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Sequence

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from configs import Settings
from configs.errors import PartError
from configs.logs import configure_logs
from configs.urls import without_password
from events.brokers import Broker, Delivery, connect
from events.session.state import SessionRecord
from events.session.store import SessionStore

WAIT_MS = 500
LEASE_SECONDS = 5
HEARTBEAT_SECONDS = 1.0
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)

HEARTBEAT = "tillwise:consumer:heartbeat"
LEASE = "tillwise:consumer:lease"
"""Held by the one consumer that works; others stand by and take over when it lapses."""

log = structlog.get_logger()


def run_consumer(settings: Settings) -> None:
    """Consume until SIGTERM or SIGINT, then finish the batch in hand and return."""
    configure_logs(settings.log.level, settings.log.format, process="consumer")
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await consume(settings, stop)


async def consume(settings: Settings, stop: asyncio.Event) -> None:
    """Apply events as they come until `stop` is set; while Redis is away, wait for it."""
    broker = connect(settings)
    client = redis.Redis.from_url(settings.redis_url, socket_timeout=10, socket_connect_timeout=2)
    worker = _Worker(settings, broker, client)
    failures = 0
    log.info("consuming", stream=settings.events.stream, broker=without_password(settings.broker_url))
    try:
        while not stop.is_set():
            try:
                await worker.step()
                if failures:
                    log.info("Redis and the broker are back")
                failures = 0
            except (RedisError, OSError, PartError) as error:
                if not failures:
                    log.warning("Redis or the broker does not answer, waiting for it", error=str(error))
                pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                await _sleep(stop, pause)
    finally:
        await worker.release()
        await broker.close()
        await client.aclose()
        log.info("stopped", applied=worker.applied)


class _Worker:
    """One consumer process's work, step by step."""

    def __init__(self, settings: Settings, broker: Broker, client: redis.Redis) -> None:
        self._broker, self._redis = broker, client
        self._store = SessionStore(client, settings.events)
        self._batch, self._max_attempts = settings.events.batch, settings.events.max_attempts
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._last_event_at = 0.0
        self._next_beat = 0.0
        self.applied = 0

    async def step(self) -> None:
        """Take one batch, apply it and acknowledge it; or stand by while another consumer works."""
        now = time.monotonic()
        if now >= self._next_beat:
            if not await self._hold_lease():
                await asyncio.sleep(HEARTBEAT_SECONDS)
                return
            await self._beat()
            self._next_beat = now + HEARTBEAT_SECONDS
        deliveries: list[Delivery] = []
        for item in await self._broker.read(self._name, limit=self._batch, wait_ms=WAIT_MS):
            if item.attempts > self._max_attempts:
                await self._broker.bury(item, f"was handed out {item.attempts - 1} times and never finished")
            else:
                deliveries.append(item)
        if deliveries:
            await self._apply(deliveries)

    async def release(self) -> None:
        """Give up the lease, so that a stand-by takes over at once."""
        try:
            if await self._redis.get(LEASE) == self._name.encode():
                await self._redis.delete(LEASE)
        except (RedisError, OSError):
            return  # it lapses by itself

    async def _apply(self, deliveries: Sequence[Delivery]) -> None:
        sessions = list(dict.fromkeys(item.event.session_id for item in deliveries))
        before = await self._store.read(sessions)
        after: dict[str, SessionRecord] = dict(before)
        for item in deliveries:
            session = item.event.session_id
            after[session] = after[session].apply(item.event, self._store.limits)
            self._last_event_at = max(self._last_event_at, item.event.occurred_at)
        if not await self._store.write(after, lease=LEASE, holder=self._name):
            self._lose_lease()
            return
        await self._broker.acknowledge(deliveries)
        self.applied += len(deliveries)

    def _lose_lease(self) -> None:
        """Begin anew: ask for the lease."""
        log.warning("the lease lapsed before a batch was written: the batch goes to whoever holds it next")
        self._next_beat = 0.0

    async def _hold_lease(self) -> bool:
        if await self._redis.set(LEASE, self._name, nx=True, ex=LEASE_SECONDS):
            return True
        if await self._redis.get(LEASE) != self._name.encode():
            return False
        return bool(await self._redis.expire(LEASE, LEASE_SECONDS))

    async def _beat(self) -> None:
        beat = {
            "name": self._name,
            "pid": os.getpid(),
            "applied": self.applied,
            "last_event_at": self._last_event_at,
            "at": time.time(),
        }
        await self._redis.set(HEARTBEAT, json.dumps(beat), ex=10 * LEASE_SECONDS)


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
