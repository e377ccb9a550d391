"""Reads session and shopper state from Redis for one request, in its part of the time; never raises for its absence.

What can be read counts, piece by piece: garbage under a shopper's key does not lose the session, and the reverse.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import mmh3
import msgspec
import redis.asyncio as redis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from configs import Settings
from events.redis_link import Commands, Link, Links, exchange
from events.session import SessionState, decode_record, recent_of, session_key, state_of
from events.shopper import FirstShown, Person, ask, decode_person, decode_unit, read_person, remember, unit_key
from features.activity import Action
from features.context import ProductMatrix
from features.live_orders import with_live_orders
from features.online import ShopperReader
from features.shopper import ShopperState
from serving.breaker import Breaker
from serving.budget import Budget
from serving.deadline import OutOfTimeError, in_time
from serving.ladder import Step

log = structlog.get_logger()
T = TypeVar("T")
_encode = msgspec.msgpack.Encoder().encode

SHARE = 0.5
"""Most of the time left that reading state may take: the rest is for ranking."""

REMEMBERING = 5
"""Times what a request may wait for Redis: nobody waits for what is written down."""

SPARE_CONNECTIONS = 4
"""Beside one for each request in flight: for status, and while a broken one is being closed."""


@dataclass(frozen=True, slots=True)
class Known:
    """What could be read for a request; `activity` is the session's.

    Attributes:
        missing: what could not be read, and why; None if everything could. step: the rung that this leaves.
        person: has the shopper's id. visit: the name in experiments that is remembered with the session.
        digest: of what Redis holds of session and shopper; None without a session, or if not all could be read.
    """

    session: SessionState | None
    shopper: ShopperState
    missing: str | None = None
    activity: Sequence[Action] = ()
    step: Step | None = None
    person: Person | None = None
    visit: str | None = None
    digest: bytes | None = None


@dataclass(slots=True)
class _Reading:
    """What has been read so far of a request's state; `unread`: what could not be, each with its reason."""

    session_id: str | None
    shopper_id: str | None
    matrix: ProductMatrix
    session: SessionState | None = None
    activity: Sequence[Action] = ()
    shopper: ShopperState = field(default_factory=ShopperState.empty)
    person: Person | None = None
    visit: str | None = None
    unread: dict[str, str] = field(default_factory=dict)
    seen: list[Any] = field(default_factory=list)

    def take(self, what: str, reply: Any, decode: Callable[[Any], T]) -> T | None:
        """Return a decoded reply; None if it cannot be read, which is noted."""
        try:
            if isinstance(reply, Exception):
                raise reply
            return decode(reply)
        except Exception as error:  # foreign bytes fail in as many ways as there are decoders; all mean garbage
            log.warning(
                "unreadable state", what=what, session=self.session_id, shopper=self.shopper_id, error=str(error)
            )
            self.unread[what] = "unreadable"
            return None

    def lost(self, reason: str) -> None:
        """Note that what has not been read will not come."""
        whole = self.session is None and "session" not in self.unread
        self.unread["state" if whole else "shopper"] = f"unavailable ({reason})"

    def known(self) -> Known:
        """Return what there is."""
        step: Step | None = "session_only" if self.unread else None
        if self.session_id is not None and self.unread.keys() & {"session", "state"}:
            step = "request_only"
        missing = "; ".join(f"{what} {reason}" for what, reason in self.unread.items())
        digest = None
        if self.session_id is not None and self.seen and not self.unread:  # only a session's answers are kept
            digest = mmh3.mmh3_x64_128_digest(_encode(self.seen))
        return Known(self.session, self.shopper, missing or None, self.activity, step, self.person, self.visit, digest)


class StateReader:
    """One bounded connection pool and one circuit breaker for the process.

    Args:
        settings: which Redis, and how long it may take.
        ticks: monotonic seconds.
    """

    def __init__(self, settings: Settings, ticks: Callable[[], float] = time.monotonic) -> None:
        serving = settings.serving
        self._ticks = ticks
        self._timeout = serving.redis_timeout_ms / 1000
        self._breaker = Breaker(serving.breaker)
        self._shoppers = ShopperReader()
        self._experiments = settings.serving.experiments is not None
        # Any: redis-py's types admit no bytes as keys, which Feast's are.
        links = Links.from_url(
            settings.redis_url,
            connection_class=Link,  # without a timeout of its own: `in_time` bounds all that is asked
            socket_connect_timeout=self._timeout,
            max_connections=serving.max_in_flight + SPARE_CONNECTIONS,
            # A connection that broke while nobody used it is replaced at once; more patience is the breaker's affair.
            retry=Retry(NoBackoff(), 1),
        )
        self._redis: Any = redis.Redis.from_pool(links)

    @property
    def breaker(self) -> str:
        """Whether Redis is asked: closed (it is), open, or half-open."""
        return self._breaker.state(self._ticks())

    async def read(
        self,
        session_id: str | None,
        shopper_id: str | None,
        now: float,
        matrix: ProductMatrix,
        budget: Budget | None = None,
    ) -> Known:
        """Return the session and the shopper, orders of the last hours included, as of `now` (unix seconds).

        `matrix` has the catalogue that tells what orders newer than the materialized features were made of.

        One round trip if the request names its shopper or has no session. A second one if the session alone knows who
        the shopper is; a further one if the shopper has features under another id only.
        """
        reading = _Reading(session_id, shopper_id, matrix)
        if session_id is not None or shopper_id is not None:
            await self._within(reading, now, budget)
        return reading.known()

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
        async with asyncio.timeout(self._timeout * REMEMBERING):
            await remember(self._redis, shown)

    async def close(self) -> None:
        """Release the connections."""
        await self._redis.aclose()

    async def _within(self, reading: _Reading, now: float, budget: Budget | None) -> None:
        """Read within the time there is, unless the breaker is open; what did not come is noted."""
        moment, good = self._ticks(), None
        if not self._breaker.admits(moment):
            reading.lost("circuit open")
            return
        at_most = float("inf") if budget is None else budget.share(SHARE, moment)
        try:
            await in_time(self._read(reading, now), self._timeout, at_most)
            good = True
        except OutOfTimeError:
            reading.lost("no time left")
        except (RedisError, OSError, TimeoutError) as error:
            good = False
            reading.lost(type(error).__name__)
        finally:
            self._breaker.ended(self._ticks(), good)

    async def _read(self, reading: _Reading, now: float) -> None:
        def queue(pipe: Commands) -> None:
            if reading.session_id is not None:
                pipe.get(session_key(reading.session_id))
                if self._experiments:
                    pipe.get(unit_key(reading.session_id))
            if reading.shopper_id is not None:
                self._queue(pipe, reading.shopper_id)

        values, told = await ask(self._redis, queue, raising=False), reading.shopper_id
        if reading.session_id is not None:
            found = reading.take("session", values[0], partial(_session, reading.session_id))
            reading.session, reading.activity = (None, ()) if found is None else found
            reading.seen.append(_raw(values[0]))
            if self._experiments:
                reading.visit = reading.take("visit", values[1], decode_unit)
        if told is None and reading.session is not None and reading.session.shopper_id is not None:
            told = reading.session.shopper_id
            values = await ask(self._redis, partial(self._queue, shopper_id=told), raising=False)
        if told is not None:
            reading.seen += [_raw(values[-2]), _raw(values[-1])]
            await self._shopper(reading, told, values[-2], values[-1], now)

    def _queue(self, pipe: Commands, shopper_id: str) -> None:
        read_person(pipe, shopper_id)
        self._queue_features(pipe, shopper_id)

    def _queue_features(self, pipe: Commands, shopper_id: str) -> None:
        pipe.execute_command("HMGET", self._shoppers.key(shopper_id), *self._shoppers.fields)

    async def _shopper(self, reading: _Reading, shopper_id: str, person: Any, row: Any, now: float) -> None:
        """Take in a shopper's state from what `_queue` asked for; without readable features there is none."""
        reading.person = reading.take("orders of today", person, decode_person)
        known = reading.person or Person(shopper_id, (shopper_id,), ())
        state = reading.take("shopper", row, self._shoppers.decode)
        if state is None:
            return
        reading.shopper = state
        if not state.orders and len(known.ids) > 1:
            reading.shopper = await self._elsewhere(reading, [an_id for an_id in known.ids if an_id != shopper_id])
        whole = reading.take(
            "orders of today",
            known.orders,
            lambda orders: with_live_orders(reading.shopper, orders, reading.matrix, now),
        )
        reading.shopper = reading.shopper if whole is None else whole

    async def _elsewhere(self, reading: _Reading, ids: Sequence[str]) -> ShopperState:
        """Return the materialized state with the most orders among a person's other ids."""
        commands = Commands()
        for an_id in ids:
            self._queue_features(commands, an_id)
        rows = await exchange(self._redis, commands)
        found = [reading.take("shopper", row, self._shoppers.decode) for row in rows]
        return max(
            (state for state in found if state is not None), key=lambda x: x.orders, default=ShopperState.empty()
        )


def _session(session_id: str, reply: bytes | None) -> tuple[SessionState, Sequence[Action]]:
    """Return a session and its activity of what Redis holds of it."""
    record = decode_record(reply)
    return state_of(record, session_id), recent_of(record)


def _raw(reply: Any) -> Any:
    """Return what Redis answered, for a digest; an error is none of its data."""
    return None if isinstance(reply, Exception) else reply
