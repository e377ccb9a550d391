"""Reads session and shopper state from Redis for one request, within the deadline; never raises for its absence."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from configs import Settings
from configs.errors import PartError
from events.session import SessionState, decode_record, recent_of, session_key, state_of
from events.shopper import ask, decode_person, read_person
from features.activity import Action
from features.context import ProductMatrix
from features.live_orders import with_live_orders
from features.online import ShopperReader
from features.shopper import ShopperState
from serving.deadline import in_time

log = structlog.get_logger()
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Known:
    """What could be read for a request; `missing` says what could not, and why. `activity` is the session's.

    `digest` is of all that Redis holds of session and shopper; None if it was not asked, or not all could be read.
    """

    session: SessionState | None
    shopper: ShopperState
    missing: str | None = None
    activity: Sequence[Action] = ()
    digest: bytes | None = None


class StateReader:
    """One connection pool for the process.

    Args:
        settings: which Redis, and the deadline.
        matrix: the catalogue that tells what orders newer than the materialized features were made of.
    """

    def __init__(self, settings: Settings, matrix: ProductMatrix) -> None:
        self._matrix = matrix
        self._timeout = settings.serving.redis_timeout_ms / 1000
        self._shoppers = ShopperReader()
        # Any: redis-py's types admit no bytes as keys, which Feast's are.
        self._redis: Any = redis.Redis.from_url(
            settings.redis_url, socket_timeout=self._timeout * 5, socket_connect_timeout=self._timeout
        )

    async def read(self, session_id: str | None, shopper_id: str | None, now: float) -> Known:
        """Return the session and the shopper, orders of the last hours included, as of `now` (unix seconds).

        One round trip if the request names its shopper or has no session. A second one if the session alone knows who
        the shopper is; a further one if the shopper has features under another id only.
        """
        if session_id is None and shopper_id is None:
            return Known(None, ShopperState.empty())
        try:
            return await in_time(self._read(session_id, shopper_id, now), self._timeout)
        except (RedisError, OSError, TimeoutError) as error:
            return Known(None, ShopperState.empty(), f"state unavailable ({type(error).__name__})")
        except (msgspec.DecodeError, PartError) as error:
            log.warning("unreadable state", session=session_id, shopper=shopper_id, error=str(error))
            return Known(None, ShopperState.empty(), "state unreadable")

    async def answers(self) -> bool:
        """Return whether Redis answers within the deadline."""
        try:
            return bool(await in_time(self._redis.execute_command("PING"), self._timeout))
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()

    async def _read(self, session_id: str | None, shopper_id: str | None, now: float) -> Known:
        def queue(pipe: Any) -> None:
            if session_id is not None:
                pipe.get(session_key(session_id))
            if shopper_id is not None:
                self._queue(pipe, shopper_id)

        values = await ask(self._redis, queue)
        seen = [values]
        session, activity = None, []
        if session_id is not None:
            record = decode_record(values[0])
            session, activity = state_of(record, session_id), recent_of(record)
        if shopper_id is not None:
            shopper = await self._shopper(shopper_id, values[-2], values[-1], now)
        elif session is None or session.shopper_id is None:
            shopper = ShopperState.empty()
        else:
            told = session.shopper_id
            values = await ask(self._redis, lambda pipe: self._queue(pipe, told))
            seen.append(values)
            shopper = await self._shopper(told, values[0], values[1], now)
        digest = hashlib.blake2b(_encode(seen), digest_size=16).digest()
        return Known(session, shopper, activity=activity, digest=digest)

    def _queue(self, pipe: Any, shopper_id: str) -> None:
        read_person(pipe, shopper_id)
        pipe.execute_command("HMGET", self._shoppers.key(shopper_id), *self._shoppers.fields)

    async def _shopper(self, shopper_id: str, person: Any, row: Any, now: float) -> ShopperState:
        """Return a shopper's state from what `_queue` asked for."""
        known, state = decode_person(person), self._shoppers.decode(row)
        if not state.orders and len(known.ids) > 1:
            state = await self._elsewhere([an_id for an_id in known.ids if an_id != shopper_id])
        return with_live_orders(state, known.orders, self._matrix, now)

    async def _elsewhere(self, ids: Sequence[str]) -> ShopperState:
        """Return the materialized state with the most orders among a person's other ids."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for an_id in ids:
                pipe.execute_command("HMGET", self._shoppers.key(an_id), *self._shoppers.fields)
            return max(map(self._shoppers.decode, await pipe.execute()), key=lambda state: state.orders)
