"""A person who is erased is nowhere in Redis any more, and nobody else has lost anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.asyncio as redis

from configs import Settings, load_settings
from events import redis_erasers
from events.brokers import Broker, connect
from events.contract import Event, OrderFacts, encode
from events.embedded import EmbeddedRedis
from events.erasure import RECEIPTS, Eraser, Receipt, forget
from events.mentions import Mentions
from events.profiles import ProfileStore
from events.redis_erasers import LogEraser, ProfileEraser, StreamEraser, TrainingEraser
from events.session import decode_session, session_key
from events.shopper import FirstShown, ask, decode_person, read_person, remember
from events.suppression import SUPPRESSED, digest, is_suppressed, suppressed_until
from tests.events.builders import NOW, event, identify
from tests.support.ports import free_port

PERSON = ["anna-cookie", "anna-account", "anna-session"]
OTHERS = ["berta", "anna-account-2"]


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A Redis of its own, whose append-only file can be looked at."""
    with EmbeddedRedis(free_port(), tmp_path) as running:
        yield running


@pytest.fixture
def settings(server: EmbeddedRedis) -> Settings:
    return load_settings(redis={"url": server.url}, events={"partitions": 1})


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Any, Broker]]:
    broker = connect(settings)
    try:
        async with redis.Redis.from_url(settings.redis_url) as client:
            yield client, broker
    finally:
        await broker.close()


def run(settings: Settings, script: Callable[[Any, Broker], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with opened(settings) as (client, broker):
            await script(client, broker)

    asyncio.run(inside())


def events_of_all() -> list[Event]:
    """Return events of the person, under several ids, and of others."""
    anna = [
        event("Product Added", "milk", at=NOW, message="1", session="anna-session", anonymous="anna-cookie"),
        identify("anna-cookie", "anna-account", at=NOW + 1, message="2", session="anna-session"),
        event(
            "Order Completed", "milk", message="3", session="elsewhere", shopper="anna-account", order=OrderFacts("o")
        ),
        event("Product Viewed", "milk", at=NOW + 3, message="4", session="elsewhere", shopper="anna-account"),
    ]
    others = [
        event("Product Added", "anna", at=NOW, message=f"5-{who}", session=who, shopper=who, anonymous=f"c-{who}")
        for who in OTHERS
    ]
    return [*anna, *others, *(identify("kiosk", f"user{n}", message=f"6-{n}", session="kiosk") for n in range(4))]


def erasers(client: Any, settings: Settings) -> list[Eraser]:
    return [ProfileEraser(client), StreamEraser(client, settings.events), LogEraser(client)]


async def bytes_in(client: Any, folder: Path) -> bytes:
    """Return everything that Redis can be made to show: names, contents of all keys, and its append-only file."""
    while (await client.info("persistence"))["aof_rewrite_in_progress"]:
        await asyncio.sleep(0.02)
    keys = await client.keys("*")
    found = [*keys, *[await client.dump(key) for key in keys]]
    return b"\n".join([*found, *(path.read_bytes() for path in folder.rglob("*.aof"))])


def assert_free_of_the_person(kept: bytes) -> None:
    for an_id in PERSON:
        assert kept.replace(b"anna-account-2", b"").count(an_id.encode()) == 0, an_id


def test_no_byte_of_the_person_is_left_and_everybody_else_is_untouched(settings: Settings, tmp_path: Path) -> None:
    impatient = settings.model_copy(update={"events": settings.events.model_copy(update={"reclaim_idle_ms": 1})})

    async def script(client: Any, broker: Broker) -> None:
        store, events = ProfileStore(client, settings.events), events_of_all()
        await store.apply(events)
        await broker.read("one", limit=1, wait_ms=1)  # makes the group
        await broker.publish(events)
        taken = await broker.read("one", limit=6, wait_ms=100)
        await broker.bury(taken[0], "could not be applied")
        await broker.bury(taken[4], "could not be applied")
        await client.xadd(f"{settings.events.stream}:dead", {"body": b'{"userId": "anna-account"}'})
        await client.xadd(f"{settings.events.stream}:dead", {"body": b'{"userId": "anna-account-2"}'})
        before = {key: await client.get(session_key(key)) for key in OTHERS}
        shown = {"anna-account": "anna-cookie", "till": "anna-session", "berta": "berta"}
        await remember(client, [FirstShown(an_id, unit, NOW, 900) for an_id, unit in shown.items()])
        assert b"anna-cookie" in await bytes_in(client, tmp_path)

        receipt = await forget(client, erasers(client, settings), PERSON, NOW + 100)

        assert_free_of_the_person(await bytes_in(client, tmp_path))
        assert {key: await client.get(session_key(key)) for key in OTHERS} == before
        assert await client.keys("tillwise:unit:*") == [b"tillwise:unit:berta"]
        assert [part.removed for part in receipt.parts] == [
            {"sessions": 2, "recent orders": 1, "links": 2, "names in experiments": 2},
            {"events": 4, "dead letters": 2},
            {},
        ]
        assert (await broker.lag()).unacknowledged == 1  # berta's of the two taken; the other is a dead letter
        rest = await broker.read("two", limit=100, wait_ms=10)
        assert [item.event for item in rest] == events[6:]
        broker = connect(impatient)
        again = await broker.read("two", limit=1, wait_ms=10)
        await broker.close()
        assert [(item.event, item.attempts) for item in again] == [(events[5], 2)]
        assert await client.xlen(f"{settings.events.stream}:dead") == 2

    run(settings, script)


def test_what_is_still_under_way_does_not_bring_the_person_back(settings: Settings, tmp_path: Path) -> None:
    async def script(client: Any, _: Broker) -> None:
        store = ProfileStore(client, settings.events)
        await forget(client, erasers(client, settings), PERSON, NOW + 100)
        await store.apply(events_of_all())
        late = {"anna-account": "visit", "tablet": "anna-cookie", "berta": "berta"}
        await remember(client, [FirstShown(an_id, unit, NOW + 100, 900) for an_id, unit in late.items()])
        assert await client.keys("tillwise:unit:*") == [b"tillwise:unit:berta"]
        assert_free_of_the_person(await bytes_in(client, tmp_path))
        assert decode_session(await client.get(session_key("berta")), "berta").cart == {"anna": 1.0}

    run(settings, script)


def test_a_link_that_only_the_other_side_still_holds_is_cut_too(settings: Settings) -> None:
    async def script(client: Any, _: Broker) -> None:
        store = ProfileStore(client, settings.events)
        await store.apply(events_of_all())
        await forget(client, erasers(client, settings), ["user0"], NOW + 100)
        replies = await ask(client, lambda pipe: [read_person(pipe, who) for who in ("user0", "user1")])
        forgotten, kept = map(decode_person, replies)
        assert forgotten.ids == ("user0",)
        assert kept.ids == ("kiosk", "user1", "user2", "user3")

    run(settings, script)


def test_an_empty_stream_keeps_its_group_and_its_place(settings: Settings) -> None:
    async def script(client: Any, broker: Broker) -> None:
        await broker.read("one", limit=1, wait_ms=1)
        await broker.publish(events_of_all()[:4])
        before = (await client.xinfo_stream(f"{settings.events.stream}:0"))["last-generated-id"]
        await forget(client, erasers(client, settings), PERSON, NOW)
        assert (await client.xinfo_stream(f"{settings.events.stream}:0"))["last-generated-id"] == before
        await broker.publish(events_of_all()[4:6])
        assert [item.event for item in await broker.read("one", limit=9, wait_ms=50)] == events_of_all()[4:6]

    run(settings, script)


def test_a_consumer_that_waits_meanwhile_gets_what_comes_next(settings: Settings) -> None:
    async def script(client: Any, broker: Broker) -> None:
        await broker.read("one", limit=1, wait_ms=1)
        await broker.publish(events_of_all())
        await broker.acknowledge(await broker.read("one", limit=100, wait_ms=50))
        waiting = asyncio.create_task(broker.read("one", limit=9, wait_ms=5_000))
        while not (await client.info("clients"))["blocked_clients"]:
            await asyncio.sleep(0.01)
        await forget(client, erasers(client, settings), PERSON, NOW)
        await broker.publish(events_of_all()[4:5])
        assert [item.event for item in await waiting] == events_of_all()[4:5]

    run(settings, script)


def test_a_long_stream_is_first_cut_to_what_waits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(client: Any, broker: Broker) -> None:
        monkeypatch.setattr(redis_erasers, "MOST_REWRITTEN", 15)
        await broker.read("one", limit=1, wait_ms=1)
        await broker.publish(events_of_all() * 2)
        await broker.acknowledge(await broker.read("one", limit=10, wait_ms=50))
        await forget(client, erasers(client, settings), PERSON, NOW)
        assert await client.xlen(f"{settings.events.stream}:0") <= 15
        assert b"anna-cookie" not in await client.dump(f"{settings.events.stream}:0")
        rest = await broker.read("one", limit=100, wait_ms=10)
        assert [item.event for item in rest] == events_of_all()[4:]

    run(settings, script)


def test_what_waits_in_a_stream_too_long_to_copy_is_deleted_and_the_receipt_says_what_is_left(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(client: Any, broker: Broker) -> None:
        monkeypatch.setattr(redis_erasers, "MOST_REWRITTEN", 5)
        await broker.read("one", limit=1, wait_ms=1)
        await broker.publish(events_of_all())
        receipt = await forget(client, erasers(client, settings), PERSON, NOW)
        assert receipt.parts[1].left is not None
        assert "4 entries" in receipt.parts[1].left
        rest = await broker.read("one", limit=100, wait_ms=10)
        assert [item.event for item in rest] == events_of_all()[4:]

    run(settings, script)


def test_the_receipt_is_kept_and_names_nobody(settings: Settings) -> None:
    async def script(client: Any, _: Broker) -> None:
        receipt = await forget(client, erasers(client, settings), PERSON, NOW)
        kept = await client.lrange(RECEIPTS, 0, -1)
        assert [msgspec.json.decode(raw, type=Receipt) for raw in kept] == [receipt]
        assert receipt.persons == sorted(map(digest, PERSON))
        assert receipt.at == "2023-11-14T22:13:20+00:00"
        assert set(await client.hgetall(SUPPRESSED)) == {name.encode() for name in receipt.persons}

    run(settings, script)


def test_the_work_folders_copy_of_the_list_only_grows(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "suppressed.json"

    async def script(client: Any, _: Broker) -> None:
        for ids, at in ((["a"], NOW), (["a", "b"], NOW + 5)):
            await forget(client, [TrainingEraser(client, file)], ids, at)
        await client.flushall()  # Redis may lose its data, the wish holds
        await forget(client, [TrainingEraser(client, file)], ["c"], NOW + 9)

    assert suppressed_until(file) == {}
    run(settings, script)
    assert suppressed_until(file) == {digest("a"): NOW + 5, digest("b"): NOW + 5, digest("c"): NOW + 9}


def test_the_list_is_asked_by_id_and_moment() -> None:
    until = {digest("anna"): NOW}
    assert is_suppressed([None, "anna"], NOW, until)
    assert not is_suppressed(["anna"], NOW + 1, until)
    assert not is_suppressed([None, "berta"], NOW, until)


def test_short_ids_do_not_take_others_dead_letters_with_them(settings: Settings) -> None:
    async def script(client: Any, _: Broker) -> None:
        dead = f"{settings.events.stream}:dead"
        for body in (
            b'{"userId": 7}',
            b"\xff" + b"x7",
            b'{"userId": 77}',
            encode(event("x", shopper="7")),
            encode(event("7", "7")),
        ):
            await client.xadd(dead, {"body": body})
        await forget(client, erasers(client, settings), ["7"], NOW)
        left = [fields[b"body"] for _, fields in await client.xrange(dead)]
        assert left == [b"\xffx7", b'{"userId": 77}', encode(event("7", "7"))]

    run(settings, script)


@pytest.mark.parametrize("body", [b"\x9c\xa1\xa0\xfa\xf0\x90\xa1t\xa1\xa0\x90", b"\x96\xcb" + b"\0" * 8 + b"\xa1\xa0"])
def test_bytes_that_look_like_an_event_until_their_text_is_read_stop_no_erasing(body: bytes) -> None:
    assert not Mentions(["somebody"]).are_in(body)
    assert Mentions(["somebody"]).are_in(body + b"somebody")
