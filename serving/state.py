"""Reads session and shopper state from Redis for one request, within the deadline; never raises for its absence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from configs import Settings
from configs.errors import PartError
from events.session import SessionState, decode_session, session_key
from features.online import ShopperReader
from features.shopper import ShopperState

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """What could be read for a request; `missing` says what could not, and why."""

    session: SessionState | None
    shopper: ShopperState
    missing: str | None = None


class StateReader:
    """One connection pool for the process."""

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.serving.redis_timeout_ms / 1000
        self._shoppers = ShopperReader()
        # Any: redis-py's types admit no bytes as keys, which Feast's are.
        self._redis: Any = redis.Redis.from_url(
            settings.redis_url, socket_timeout=self._timeout * 5, socket_connect_timeout=self._timeout
        )

    async def read(self, session_id: str | None, shopper_id: str | None) -> Known:
        """Return the session and the shopper.

        One round trip if the request names its shopper or has no session; a second one only if the session alone
        knows who the shopper is.
        """
        if session_id is None and shopper_id is None:
            return Known(None, ShopperState.empty())
        try:
            async with asyncio.timeout(self._timeout):
                return await self._read(session_id, shopper_id)
        except (RedisError, OSError, TimeoutError) as error:
            return Known(None, ShopperState.empty(), f"state unavailable ({type(error).__name__})")
        except (msgspec.DecodeError, PartError) as error:
            log.warning("unreadable state", session=session_id, shopper=shopper_id, error=str(error))
            return Known(None, ShopperState.empty(), "state unreadable")

    async def answers(self) -> bool:
        """Return whether Redis answers within the deadline."""
        try:
            async with asyncio.timeout(self._timeout):
                return bool(await self._redis.execute_command("PING"))
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()

    async def _read(self, session_id: str | None, shopper_id: str | None) -> Known:
        async with self._redis.pipeline(transaction=False) as pipe:
            if session_id is not None:
                pipe.get(session_key(session_id))
            if shopper_id is not None:
                pipe.execute_command("HMGET", self._shoppers.key(shopper_id), *self._shoppers.fields)
            values = await pipe.execute()
        session = None if session_id is None else decode_session(values[0], session_id)
        if shopper_id is not None:
            return Known(session, self._shoppers.decode(values[-1]))
        if session is None or session.shopper_id is None:
            return Known(session, ShopperState.empty())
        key = self._shoppers.key(session.shopper_id)
        found = await self._redis.execute_command("HMGET", key, *self._shoppers.fields)
        return Known(session, self._shoppers.decode(found))
