"""Rate limits that all workers keep together, without a request ever waiting for them.

A worker decides from a bucket of its own, in about a microsecond. In the background it tells Redis what was taken, in
one Lua call a bucket, and learns what all workers together left. So the limit holds in the long run whatever the number
of workers; for the tenth of a second between two tellings, each may grant what it last saw. Asking Redis before each
request would be exact, but some requests read no state that the question could join, one that is refused would have
its state read in vain, and every answer would wait for Redis. While Redis is away workers keep the limit one by one.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from serving.access.bucket import Bucket
from serving.ending import end

log = structlog.get_logger()

PREFIX = "tillwise:limit:"
SHARE_SECONDS = 0.1
AT_ONCE = 500
"""Buckets told of in one round trip."""
MOST_BUCKETS = 20_000
"""Buckets a worker keeps; the ones unused for longest go, and are learnt again from Redis."""
REDIS_SECONDS = 0.5

_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local rate, burst, taken = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local passed = math.max(0, now - (tonumber(kept[2]) or now))
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + passed * rate) - taken
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * (burst - tokens) / rate) + 1000)
return string.format('%.6f', tokens)
"""


class Limits:
    """Buckets by the name of who takes from them.

    Args:
        url: of Redis. clock: monotonic seconds.

    Attributes:
        alone: requests that were let through while Redis did not answer, so that other workers do not know of them.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.alone = 0
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._taken: dict[str, Bucket] = {}
        self._sharing: asyncio.Task[None] | None = None
        # Any: redis-py declares scripts for both of its clients at once.
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
        self._take = self._redis.register_script(_TAKE)

    def take(self, name: str, rate: float, burst: int) -> tuple[bool, Bucket]:
        """Return whether a request may pass, and the bucket that says so. To be called in the event loop."""
        bucket = self._bucket(name, rate, burst)
        passed = bucket.take(self._clock())
        if passed:
            self._taken[name] = bucket
            if self._sharing is None or self._sharing.done():
                self._sharing = asyncio.get_running_loop().create_task(self._share_while_taken())
        return passed, bucket

    async def close(self) -> None:
        """Stop sharing, and release the connections."""
        await end(self._sharing)
        await self._redis.aclose()

    def _bucket(self, name: str, rate: float, burst: int) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket.full(rate, burst, self._clock())
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket

    async def _share_while_taken(self) -> None:
        while self._taken:
            await asyncio.sleep(SHARE_SECONDS)
            names = list(self._taken)[:AT_ONCE]
            await self._share({name: self._taken.pop(name) for name in names})

    async def _share(self, buckets: dict[str, Bucket]) -> None:
        """Tell the shared buckets what was taken, and learn what is left."""
        told = [bucket.unshared for bucket in buckets.values()]
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for (name, bucket), taken in zip(buckets.items(), told, strict=True):
                    await self._take(keys=[PREFIX + name], args=[bucket.rate, bucket.burst, taken], client=pipe)
                replies = await pipe.execute()
        except (RedisError, OSError) as error:
            for bucket, taken in zip(buckets.values(), told, strict=True):
                bucket.unshared -= taken  # told late, it would be a debt of requests that were let through
            if not self.alone:
                log.warning("rate limits are kept by each worker alone: Redis does not answer", error=str(error))
            self.alone += sum(told)
            return
        for bucket, taken, reply in zip(buckets.values(), told, replies, strict=True):
            bucket.learn(float(reply), taken, self._clock())
