"""Events on Redis streams, one a partition.

Accepted means written to Redis' append-only file, not only held back for it (see `events.appended`). The embedded
server flushes it every second: a killed process loses nothing, a machine that loses power up to one second
(`appendfsync always` on a server of yours closes that gap).
Redis keeps what a consumer took until it is acknowledged; whoever reads takes over what has lain too long
(XAUTOCLAIM), and Redis counts how often each entry was handed out, over all processes.

Consumers of a group share every partition, so two of them may work on one session at a time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import redis.asyncio as redis
from redis.exceptions import RedisError, ResponseError

from configs.errors import PartError
from configs.settings import EventSettings
from events import appended
from events.brokers.base import Broker, DeadLetter, Delivery, Lag
from events.brokers.letters import buried_event, oldest, read_letter, rejected_call
from events.brokers.partitions import partition_of
from events.brokers.redis_scripts import LAG, PUBLISH, TRIM
from events.contract import Event, decode, encode

FIELD = b"e"
NONE_REFUSED = -1

Entries = Iterable[tuple[bytes, dict[bytes, bytes] | None]]


class RedisStreams(Broker):
    """`NAME:0`, `NAME:1`, … for events, `NAME:dead` and `NAME:rejected` for dead letters.

    Args:
        url: redis:// URL.
        settings: names and bounds.
        group: that reads.
    """

    def __init__(self, url: str, settings: EventSettings, group: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=10, socket_connect_timeout=2)
        self._settings, self._group = settings, group
        self._streams = [f"{settings.stream}:{number}" for number in range(settings.partitions)]
        self._letters = {kind: f"{settings.stream}:{kind}" for kind in ("dead", "rejected")}
        self._publish, self._trim = self._redis.register_script(PUBLISH), self._redis.register_script(TRIM)
        self._lag = self._redis.register_script(LAG)
        self._held: deque[Delivery] = deque()
        self._grouped = False
        self._reclaim_at = 0.0

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Broker.publish`; Redis takes all or none."""
        arguments: list[Any] = [self._settings.max_waiting, self._settings.group, self._settings.record_group]
        for event in events:
            arguments += [partition_of(event.session_id, len(self._streams)) + 1, encode(event)]
        try:
            refused = await self._publish(keys=self._streams, args=arguments)
            if refused == NONE_REFUSED:
                await appended.until_appended(self._redis)
        except RedisError as error:
            raise PartError(f"The event stream in Redis did not accept the events ({error}).") from None
        if refused != NONE_REFUSED:
            raise PartError(
                f"The event stream in Redis did not accept the events: {refused} of a partition wait to be consumed, "
                f"at most {self._settings.max_waiting} may. `tillwise status` tells whether the consumers run."
            )

    async def read(self, consumer: str, *, limit: int, wait_ms: int) -> list[Delivery]:
        """See `Broker.read`."""
        with _answering():
            if not self._held:
                try:
                    self._held.extend(await self._take(consumer, limit, wait_ms))
                except ResponseError as error:
                    if "NOGROUP" not in str(error):
                        raise
                    self._grouped = False  # somebody emptied Redis
        return [self._held.popleft() for _ in range(min(limit, len(self._held)))]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Broker.acknowledge`."""
        by_stream: dict[str, list[str]] = {}
        for item in deliveries:
            number, _, entry = item.token.partition(":")
            by_stream.setdefault(self._streams[int(number)], []).append(entry)
        with _answering():
            async with self._redis.pipeline(transaction=False) as pipe:
                for stream, entries in by_stream.items():
                    pipe.xack(stream, self._group, *entries)
                    pipe.xlen(stream)
                lengths = (await pipe.execute())[1::2]
            for stream, length in zip(by_stream, lengths, strict=True):
                if length > self._settings.max_stream_length:
                    await self._trim(keys=[stream], args=[self._settings.group, self._settings.record_group])

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """See `Broker.bury`; both in one transaction."""
        with _answering():
            await self._bury(delivery.token, encode(delivery.event), reason)

    async def reject(self, raw: bytes, endpoint: str, field: str, reason: str) -> None:
        """See `Broker.reject`."""
        letter: dict[Any, Any] = {FIELD: rejected_call(raw, endpoint, field, reason)}
        most = self._settings.max_rejected_calls
        with _answering():
            await self._redis.xadd(self._letters["rejected"], letter, maxlen=most, approximate=False)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """See `Broker.dead_letters`."""
        letters: list[DeadLetter] = []
        with _answering():
            for kind, stream in self._letters.items():
                for entry, fields in await self._redis.xrange(stream, count=limit):
                    letters.append(read_letter(fields[FIELD], f"{kind}:{entry.decode()}"))
        return oldest(letters, limit)

    async def forget(self, ids: Sequence[str]) -> None:
        """See `Broker.forget`."""
        with _answering():
            for kind, stream in self._letters.items():
                ours = [entry for name, _, entry in (item.partition(":") for item in ids) if name == kind]
                if ours:
                    await self._redis.xdel(stream, *ours)

    async def lag(self) -> Lag:
        """See `Broker.lag`."""
        with _answering():
            waiting, pending = await self._lag(keys=self._streams, args=[self._group])
        return Lag(int(waiting), int(pending))

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._redis.aclose()

    async def _take(self, consumer: str, limit: int, wait_ms: int) -> list[Delivery]:
        if not self._grouped:
            await self._make_groups()
        now = time.monotonic()
        if now >= self._reclaim_at:
            late = await self._reclaim(consumer, limit)
            if late:
                return late
            self._reclaim_at = now + self._settings.reclaim_idle_ms / 2000
        return await self._read_new(consumer, limit, wait_ms)

    async def _read_new(self, consumer: str, limit: int, wait_ms: int) -> list[Delivery]:
        """Read all partitions at once; those that had more than their share fill up what the others left."""
        streams, taken = self._streams, list[Delivery]()
        block = wait_ms or None  # zero would mean for ever
        while streams and len(taken) < limit:
            share = max(1, (limit - len(taken)) // len(streams))
            asked: dict[Any, Any] = dict.fromkeys(streams, ">")
            found = await self._redis.xreadgroup(self._group, consumer, asked, count=share, block=block)
            for name, entries in found:
                taken += await self._decoded(self._streams.index(name.decode()), entries)
            full = [name.decode() for name, entries in found if len(entries) == share]
            streams = full[: max(0, limit - len(taken))]  # so that nothing is taken that is not handed out
            block = None
        return taken

    async def _reclaim(self, consumer: str, limit: int) -> list[Delivery]:
        """Take over what has lain unacknowledged too long, with how often it was handed out."""
        share, idle = max(1, limit // len(self._streams)), self._settings.reclaim_idle_ms
        async with self._redis.pipeline(transaction=False) as pipe:
            for stream in self._streams:
                pipe.xautoclaim(stream, self._group, consumer, idle, count=share)
            claimed = [answer[1] for answer in await pipe.execute()]
        late: list[Delivery] = []
        for number, entries in enumerate(claimed):
            if entries:
                late += await self._decoded(number, entries, await self._attempts(number, entries))
        return late

    async def _attempts(self, number: int, entries: Sequence[tuple[bytes, Any]]) -> dict[bytes, int]:
        first, last, count = entries[0][0], entries[-1][0], len(entries)
        stream: Any = self._streams[number]
        pending: list[Any] = []
        while len(pending) < count:  # entries of other consumers may lie in between
            found = await self._redis.xpending_range(stream, self._group, min=first, max=last, count=count)
            pending += found
            if len(found) < count:
                break
            first = b"(" + found[-1]["message_id"]
        return {item["message_id"]: item["times_delivered"] for item in pending}

    async def _decoded(self, number: int, entries: Entries, attempts: dict[bytes, int] | None = None) -> list[Delivery]:
        deliveries = []
        for entry, fields in entries:
            token = f"{number}:{entry.decode()}"
            if not fields:  # deleted by hand while it was pending
                await self._redis.xack(self._streams[number], self._group, entry)
                continue
            try:
                deliveries.append(Delivery(token, decode(fields[FIELD]), (attempts or {}).get(entry, 1)))
            except (KeyError, msgspec.DecodeError) as error:
                raw = fields.get(FIELD, repr(fields).encode())
                await self._bury(token, raw, f"cannot be decoded: {error!r}")
        return deliveries

    async def _bury(self, token: str, raw: bytes, reason: str) -> None:
        number, _, entry = token.partition(":")
        letter: dict[Any, Any] = {FIELD: buried_event(raw, reason)}
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xadd(self._letters["dead"], letter)
            pipe.xack(self._streams[int(number)], self._group, entry)
            await pipe.execute()

    async def _make_groups(self) -> None:
        for stream in self._streams:
            try:
                await self._redis.xgroup_create(stream, self._group, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        self._grouped = True


@contextmanager
def _answering() -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except RedisError as error:
        raise PartError(f"The event stream in Redis does not answer ({error}).") from None
