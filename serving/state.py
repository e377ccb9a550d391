"""Reads session and shopper state from Redis for one request, within the deadline; never raises for its absence."""

from __future__ import annotations

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
from events.shopper import FirstShown, Person, ask, decode_person, decode_unit, read_person, remember, unit_key
from features.activity import Action
from features.context import ProductMatrix
from features.live_orders import with_live_orders
from features.online import ShopperReader
from features.shopper import ShopperState
from serving.deadline import in_time

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """What could be read for a request; `missing` says what could not, and why. `activity` is the session's.

    `person` has the shopper's id. `visit` is the name in experiments that is remembered with the session.
    """

    session: SessionState | None
    shopper: ShopperState
    missing: str | None = None
    activity: Sequence[Action] = ()
    person: Person | None = None
    visit: str | None = None


class StateReader:
    """One connection pool for the process.

    Args:
        settings: which Redis, and the deadline.
    """

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.serving.redis_timeout_ms / 1000
        self._shoppers = ShopperReader()
        self._experiments = settings.serving.experiments is not None
        # Any: redis-py's types admit no bytes as keys, which Feast's are.
        self._redis: Any = redis.Redis.from_url(
            settings.redis_url, socket_timeout=self._timeout * 5, socket_connect_timeout=self._timeout
        )

    async def read(self, session_id: str | None, shopper_id: str | None, now: float, matrix: ProductMatrix) -> Known:
        """Return the session and the shopper, orders of the last hours included, as of `now` (unix seconds).

        `matrix` has the catalogue that tells what orders newer than the materialized features were made of.

        One round trip if the request names its shopper or has no session. A second one if the session alone knows who
        the shopper is; a further one if the shopper has features under another id only.
        """
        if session_id is None and shopper_id is None:
            return Known(None, ShopperState.empty())
        try:
            return await in_time(self._read(session_id, shopper_id, now, matrix), self._timeout)
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

    async def remember(self, shown: Sequence[FirstShown]) -> None:
        """Remember under which names people take part in experiments; not within the deadline, nor for a request.

        Raises:
            RedisError, OSError: Redis does not answer.
        """
        await remember(self._redis, shown)

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()

    async def _read(self, session_id: str | None, shopper_id: str | None, now: float, matrix: ProductMatrix) -> Known:
        def queue(pipe: Any) -> None:
            if session_id is not None:
                pipe.get(session_key(session_id))
                if self._experiments:
                    pipe.get(unit_key(session_id))
            if shopper_id is not None:
                self._queue(pipe, shopper_id)

        values = await ask(self._redis, queue)
        session, activity, visit = None, [], None
        if session_id is not None:
            record = decode_record(values[0])
            session, activity = state_of(record, session_id), recent_of(record)
            visit = decode_unit(values[1]) if self._experiments else None
        told = session.shopper_id if shopper_id is None and session is not None else shopper_id
        if told is None:
            return Known(session, ShopperState.empty(), activity=activity, visit=visit)
        if shopper_id is None:
            values = await ask(self._redis, lambda pipe: self._queue(pipe, told))
        person = decode_person(values[-2])
        shopper = await self._shopper(told, person, values[-1], now, matrix)
        return Known(session, shopper, activity=activity, person=person, visit=visit)

    def _queue(self, pipe: Any, shopper_id: str) -> None:
        read_person(pipe, shopper_id)
        pipe.execute_command("HMGET", self._shoppers.key(shopper_id), *self._shoppers.fields)

    async def _shopper(
        self, shopper_id: str, known: Person, row: Any, now: float, matrix: ProductMatrix
    ) -> ShopperState:
        """Return the state of a shopper from the row that `_queue` asked for."""
        state = self._shoppers.decode(row)
        if not state.orders and len(known.ids) > 1:
            state = await self._elsewhere([an_id for an_id in known.ids if an_id != shopper_id])
        return with_live_orders(state, known.orders, matrix, now)

    async def _elsewhere(self, ids: Sequence[str]) -> ShopperState:
        """Return the materialized state with the most orders among a person's other ids."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for an_id in ids:
                pipe.execute_command("HMGET", self._shoppers.key(an_id), *self._shoppers.fields)
            return max(map(self._shoppers.decode, await pipe.execute()), key=lambda state: state.orders)
