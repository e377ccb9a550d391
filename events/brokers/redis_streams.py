"""Events on a Redis stream.

Accepted means written to Redis' append-only file, which the embedded server flushes every second: a killed process
loses nothing, a machine that loses power up to one second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import redis.asyncio as redis
from redis.exceptions import RedisError, ResponseError

from configs.errors import PartError
from configs.settings import EventSettings
from events.brokers.base import Broker, Delivery, Lag
from events.contract import Event, decode, encode

FIELD = b"e"
MOST_COUNTED = 100_000
"""Waiting events are counted up to here; Redis 6 does not know the number itself."""


MOST_REJECTED = 100_000
"""Dead letters that are kept; the oldest go first."""


class RedisStreams(Broker):
    """One stream, one consumer group, a second stream for dead letters.

    Args:
        url: redis:// URL.
        settings: names, and the length beyond which consumed entries are trimmed.
    """

    def __init__(self, url: str, settings: EventSettings, group: str | None = None) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=2)
        self._settings = settings
        self._stream, self._group = settings.stream, group or settings.group
        self.dead_letters = f"{settings.stream}:dead"

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Broker.publish`."""
        try:
            if len(events) == 1:
                await self._redis.xadd(self._stream, {FIELD: encode(events[0])})
                return
            async with self._redis.pipeline(transaction=True) as pipe:
                for event in events:
                    pipe.xadd(self._stream, {FIELD: encode(event)})
                await pipe.execute()
        except RedisError as error:
            raise PartError(f"The event stream in Redis did not accept the events ({error}).") from None

    async def read(self, consumer: str, *, limit: int, wait_ms: int) -> list[Delivery]:
        """See `Broker.read`."""
        streams: dict[Any, Any] = {self._stream: ">"}
        try:
            found = await self._redis.xreadgroup(self._group, consumer, streams, count=limit, block=wait_ms)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group()
            return []
        return await self._deliveries(found[0][1] if found else [])

    async def reclaim(self, consumer: str, *, limit: int, idle_ms: int) -> list[Delivery]:
        """See `Broker.reclaim`."""
        try:
            answer = await self._redis.xautoclaim(self._stream, self._group, consumer, idle_ms, count=limit)
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self._make_group()
            return []
        return await self._deliveries(answer[1])

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Broker.acknowledge`."""
        if deliveries:
            await self._redis.xack(self._stream, self._group, *(item.token for item in deliveries))
            await self._trim()

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """See `Broker.bury`."""
        await self._bury(delivery.token.encode(), {FIELD: encode(delivery.event)}, reason)

    async def reject(self, raw: bytes, endpoint: str, field: str, reason: str) -> None:
        """See `Broker.reject`."""
        kept: dict[Any, Any] = {"endpoint": endpoint, "field": field, "reason": reason, "entry": raw}
        try:
            await self._redis.xadd(self.dead_letters, kept, maxlen=MOST_REJECTED, approximate=True)
        except RedisError as error:
            raise PartError(f"The event stream in Redis did not accept the events ({error}).") from None

    async def lag(self) -> Lag:
        """See `Broker.lag`."""
        try:
            groups = await self._redis.xinfo_groups(self._stream)
        except ResponseError:
            return Lag(0, 0)  # no event was ever published
        ours = [group for group in groups if group["name"].decode() == self._group]
        after = f"({ours[0]['last-delivered-id'].decode()}" if ours else "-"
        waiting = await self._redis.xrange(self._stream, after, "+", count=MOST_COUNTED)
        return Lag(len(waiting), int(ours[0]["pending"]) if ours else 0)

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._redis.aclose()

    async def _make_group(self) -> None:
        try:
            await self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _deliveries(self, entries: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> list[Delivery]:
        deliveries = []
        for token, fields in entries:
            if not fields:
                continue  # trimmed while it was pending
            try:
                deliveries.append(Delivery(token.decode(), decode(fields[FIELD])))
            except (KeyError, msgspec.DecodeError) as error:
                await self._bury(token, fields, repr(error))
        return deliveries

    async def _bury(self, token: bytes, fields: dict[bytes, bytes], reason: str) -> None:
        """Move an entry that cannot be decoded to the dead letters, in one transaction."""
        async with self._redis.pipeline(transaction=True) as pipe:
            kept: dict[Any, Any] = {"id": token, "reason": reason, "entry": fields.get(FIELD, repr(fields).encode())}
            pipe.xadd(self.dead_letters, kept)
            pipe.xack(self._stream, self._group, token)
            await pipe.execute()

    async def _trim(self) -> None:
        """Cut consumed entries once the stream is too long; what is waiting or unacknowledged stays.

        What was delivered is asked before what is unacknowledged, so that entries delivered in between stay too.
        """
        if await self._redis.xlen(self._stream) <= self._settings.max_stream_length:
            return
        groups = await self._redis.xinfo_groups(self._stream)
        delivered = next(group["last-delivered-id"] for group in groups if group["name"].decode() == self._group)
        pending = await self._redis.xpending(self._stream, self._group)
        await self._redis.xtrim(self._stream, minid=pending["min"] or delivered, approximate=True)
