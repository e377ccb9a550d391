"""Writing profiles: in one step, only over what was read, and never for who asked to be forgotten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import redis.asyncio as redis

from events.contract import OrderFacts
from events.profiles import ProfileStore
from events.session import SessionRecord, decode_session, encode_record, session_key
from events.shopper import shopper_key
from events.shopper.store import decode_orders, links_key
from events.suppression import ERASURES, SUPPRESSED, digest
from tests.events.builders import EVENTS, NOW, event, identify, replayed_cart
from tests.events.record.support import exposed

Script = Callable[[redis.Redis, ProfileStore], Awaitable[None]]


@pytest.fixture
def run(redis_url: str) -> Callable[[Script], None]:
    """Runs a script with a client and a store on an empty Redis."""

    async def inside(script: Script) -> None:
        async with redis.Redis.from_url(redis_url) as client:
            await script(client, ProfileStore(client, EVENTS))

    return lambda script: asyncio.run(inside(script))


def test_what_is_written_is_read_back_and_forgotten_in_time(run: Callable[[Script], None]) -> None:
    async def script(client: redis.Redis, store: ProfileStore) -> None:
        bought = event("Order Completed", "a", at=NOW + 1, message="2", shopper="u", order=OrderFacts("o"))
        await store.apply([event("Product Added", "a", message="1"), bought, identify("cookie", "u", message="3")])
        assert decode_session(await client.get(session_key("s")), "s").orders == ("o",)
        assert 0 < await client.ttl(session_key("s")) <= EVENTS.session_ttl_hours * 3_600
        assert [order.order_id for order in decode_orders(await client.get(shopper_key("u"))).orders] == ["o"]
        for key in (shopper_key("u"), links_key("u"), links_key("cookie")):
            assert 0 < await client.ttl(key) <= EVENTS.shopper_ttl_days * 86_400

    run(script)


def test_the_same_events_in_any_batches_leave_the_same_bytes_in_redis(run: Callable[[Script], None]) -> None:
    chance = random.Random(2)
    events = [
        event("Product Added", f"p{n % 7}", at=NOW + n % 50, message=f"m{n}", session=f"s{n % 5}") for n in range(300)
    ]

    async def script(client: redis.Redis, store: ProfileStore) -> None:
        found = []
        for _ in range(3):
            await client.flushall()
            sent = events + chance.sample(events, 50)
            chance.shuffle(sent)
            for start in range(0, len(sent), 40):
                await store.apply(sent[start : start + 40])
            found.append([await client.get(session_key(f"s{n}")) for n in range(5)])
        assert found[0] == found[1] == found[2]

    run(script)


def test_what_we_showed_ourselves_is_nothing_that_the_shopper_did(run: Callable[[Script], None]) -> None:
    async def script(client: redis.Redis, store: ProfileStore) -> None:
        await store.apply([exposed(session_id="s", shopper_id="u", anonymous_id="a")])
        assert await client.keys("*") == []

    run(script)


def test_writers_who_race_for_the_same_session_lose_nothing(run: Callable[[Script], None], redis_url: str) -> None:
    events = [event("Product Added", f"p{n % 4}", at=NOW + n, message=f"m{n}") for n in range(90)]

    async def script(client: redis.Redis, store: ProfileStore) -> None:
        async with redis.Redis.from_url(redis_url) as other:
            rival = ProfileStore(other, EVENTS)
            await asyncio.gather(
                *(writer.apply([item]) for n, item in enumerate(events) for writer in [(store, rival)[n % 2]])
            )
        assert decode_session(await client.get(session_key("s")), "s").cart == replayed_cart(events)

    run(script)


def test_a_record_that_changed_since_it_was_read_is_not_overwritten(
    run: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(client: redis.Redis, store: ProfileStore) -> None:
        swap, intruders = store._swap, [event("Product Added", "b", message="2")]

        async def late(**arguments: Any) -> Any:
            if intruders:
                record = SessionRecord().after([intruders.pop()], store.limits)
                await client.set(session_key("s"), encode_record(record))
            return await swap(**arguments)

        monkeypatch.setattr(store, "_swap", late)
        await store.apply([event("Product Added", "a", message="1")])
        assert decode_session(await client.get(session_key("s")), "s").cart == {"a": 1.0, "b": 1.0}

    run(script)


def test_a_value_that_is_no_record_counts_as_none(run: Callable[[Script], None]) -> None:
    async def script(client: redis.Redis, store: ProfileStore) -> None:
        await client.set(session_key("s"), b"\xc1garbage")
        await client.set(shopper_key("u"), b"\xc1garbage")
        await store.apply([event("Order Completed", "a", shopper="u")])
        assert decode_session(await client.get(session_key("s")), "s").shopper_id == "u"
        assert len(decode_orders(await client.get(shopper_key("u"))).orders) == 1

    run(script)


@pytest.mark.parametrize("who", ["s", "u", "cookie"])
def test_what_happened_before_a_person_was_erased_is_dropped_and_what_comes_later_counts(
    run: Callable[[Script], None], who: str
) -> None:
    async def script(client: redis.Redis, store: ProfileStore) -> None:
        await client.hset(SUPPRESSED, digest(who), str(NOW + 10))
        await client.incr(ERASURES)
        old = msgspec.structs.replace(identify("cookie", "u", message="1"), received_at=NOW + 9)
        bought = event("Order Completed", at=NOW, message="2", shopper="u", anonymous="cookie")
        other = event("Product Added", "b", message="3", session="other")
        await store.apply([old, bought, other])
        assert sorted(await client.keys("tillwise:[sl]*")) == [b"tillwise:session:other", SUPPRESSED.encode()]
        await store.apply([event("Product Added", "a", at=NOW + 11, message="4", shopper="u", anonymous="cookie")])
        assert decode_session(await client.get(session_key("s")), "s").cart == {"a": 1.0}

    run(script)


def test_an_erasure_between_reading_and_writing_is_noticed(
    run: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(client: redis.Redis, store: ProfileStore) -> None:
        swap = store._swap

        async def late(**arguments: Any) -> Any:
            if not await client.exists(ERASURES):
                await client.hset(SUPPRESSED, digest("s"), str(NOW + 10))
                await client.incr(ERASURES)
            return await swap(**arguments)

        monkeypatch.setattr(store, "_swap", late)
        await store.apply([identify("cookie", "u"), event("Product Added", "a")])
        assert await client.get(session_key("s")) is None

    run(script)
