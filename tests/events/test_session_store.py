"""Session records in Redis: kept for a while, written only by whoever holds the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio as redis

from events.session import SessionRecord, decode_session, session_key
from events.session.store import SessionStore
from tests.events.builders import EVENTS, event

Script = Callable[[redis.Redis, SessionStore], Awaitable[None]]
RECORD = SessionRecord().apply(event("Product Added", "a"), SessionStore(redis.Redis(), EVENTS).limits)


@pytest.fixture
def run(redis_url: str) -> Callable[[Script], None]:
    """Runs a script with a client and a store on an empty Redis."""

    async def inside(script: Script) -> None:
        async with redis.Redis.from_url(redis_url) as client:
            await script(client, SessionStore(client, EVENTS))

    return lambda script: asyncio.run(inside(script))


def test_what_is_written_is_read_back_and_forgotten_in_time(run: Callable[[Script], None]) -> None:
    async def script(client: redis.Redis, store: SessionStore) -> None:
        await client.set("lease", "me")
        assert await store.write({"s": RECORD}, lease="lease", holder="me")
        assert await store.read(["s", "unknown"]) == {"s": RECORD, "unknown": SessionRecord()}
        assert decode_session(await client.get(session_key("s")), "s").cart == {"a": 1.0}
        assert 0 < await client.ttl(session_key("s")) <= EVENTS.session_ttl_hours * 3600

    run(script)


@pytest.mark.parametrize("held_by", ["another", None])
def test_nothing_is_written_once_the_lease_is_lost(run: Callable[[Script], None], held_by: str | None) -> None:
    async def script(client: redis.Redis, store: SessionStore) -> None:
        if held_by is not None:
            await client.set("lease", held_by)
        assert not await store.write({"s": RECORD}, lease="lease", holder="me")
        assert await client.get(session_key("s")) is None

    run(script)


def test_a_value_that_is_no_record_counts_as_none(run: Callable[[Script], None]) -> None:
    async def script(client: redis.Redis, store: SessionStore) -> None:
        await client.set(session_key("s"), b"garbage")
        assert await store.read(["s"]) == {"s": SessionRecord()}

    run(script)
