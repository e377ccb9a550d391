"""Asking Redis in one round trip: replies in order, errors among them, broken connections replaced."""

from __future__ import annotations

import asyncio
import uuid

import redis
import redis.asyncio
from redis.exceptions import ResponseError

from events.redis_link import Commands, Link, exchange


def test_replies_come_in_order_and_an_error_takes_its_place_among_them(redis_url: str) -> None:
    async def inside() -> list[object]:
        client = redis.asyncio.Redis.from_url(redis_url, connection_class=Link)
        name, commands = uuid.uuid4().hex, Commands()
        commands.execute_command("HSET", name, b"\x00", 1.5)
        commands.get(name)
        commands.execute_command("HMGET", name, b"\x00", "none")
        try:
            return await exchange(client, commands)
        finally:
            await client.aclose()

    added, wrong_kind, values = asyncio.run(inside())
    assert (added, values) == (1, [b"1.5", None])
    assert isinstance(wrong_kind, ResponseError)


def test_a_connection_that_redis_closed_meanwhile_is_replaced_before_it_is_used(redis_url: str) -> None:
    async def inside() -> list[object]:
        client = redis.asyncio.Redis.from_url(redis_url, connection_class=Link, client_name=uuid.uuid4().hex)
        try:
            commands = Commands()
            commands.execute_command("CLIENT", "ID")
            (before,) = await exchange(client, commands)
            with redis.Redis.from_url(redis_url) as other:
                other.execute_command("CLIENT", "KILL", "ID", before)
            await asyncio.sleep(0.05)
            (after,) = await exchange(client, commands)
            return [before, after]
        finally:
            await client.aclose()

    before, after = asyncio.run(inside())
    assert isinstance(after, int)
    assert after != before
