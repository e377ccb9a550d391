"""Dead letters tried again: what can be taken now is published, what cannot stays, and nothing falls in between."""

from __future__ import annotations

import asyncio
import json

import pytest

from configs import Settings
from configs.errors import PartError
from events.brokers import DeadLetter
from events.contract import InvalidEventError, encode
from events.replay_letters import events_of, replay_letters
from tests.events.builders import EVENTS, NOW, event
from tests.support.brokers import broker_settings, connected

GOOD = {"event": "Product Added", "anonymousId": "a", "properties": {"product_id": "p1"}}
BAD = GOOD | {"properties": {}}


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """A stream of one's own in Redis."""
    return broker_settings(request, "redis streams")


def call(body: object, endpoint: str = "track") -> DeadLetter:
    return DeadLetter("rejected:1-0", NOW, "collector", "once", "event", json.dumps(body).encode(), endpoint)


def test_what_can_be_taken_now_is_published_and_forgotten_and_the_rest_stays(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as broker:
            await broker.publish([event("Product Added", "p", message="poison")])
            (delivery,) = await broker.read("one", limit=5, wait_ms=500)
            await broker.bury(delivery, "was not understood")
            await broker.reject(json.dumps(GOOD | {"messageId": "m1"}).encode(), "track", "event", "was not known")
            await broker.reject(json.dumps(BAD).encode(), "track", "properties.product_id", "is missing")
            tried = await replay_letters(broker, settings.events, 10)
            assert [item.why is None for item in tried] == [True, True, False]
            assert "properties.product_id" in str(tried[2].why)
            (left,) = await broker.dead_letters(10)
            assert json.loads(left.body) == BAD
            again = [*await broker.read("one", limit=5, wait_ms=500), *await broker.read("one", limit=5, wait_ms=100)]
            assert {item.event.message_id for item in again} == {"poison", "m1"}

    asyncio.run(inside())


def test_a_letter_whose_events_are_not_accepted_is_not_forgotten(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise PartError("away")

    async def inside() -> None:
        async with connected(settings) as broker:
            await broker.reject(json.dumps(GOOD).encode(), "track", "event", "was not known")
            monkeypatch.setattr(type(broker), "publish", away)
            with pytest.raises(PartError):
                await replay_letters(broker, settings.events, 10)
            assert len(await broker.dead_letters(10)) == 1

    asyncio.run(inside())


def test_a_limit_tries_only_the_oldest(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as broker:
            for number in range(3):
                await broker.reject(json.dumps(GOOD | {"messageId": f"m{number}"}).encode(), "track", "event", "x")
            await replay_letters(broker, settings.events, 2)
            assert [json.loads(letter.body)["messageId"] for letter in await broker.dead_letters(9)] == ["m2"]

    asyncio.run(inside())


def test_trying_a_call_twice_gives_the_same_message_ids() -> None:
    calls = [GOOD | {"type": "track"}, GOOD | {"type": "track", "messageId": "told"}]
    letter = call({"batch": calls}, "batch")
    first, second = (events_of(letter, EVENTS) for _ in range(2))
    assert first == second
    assert first[1].message_id == "told"
    assert first[0].message_id != first[1].message_id


def test_a_call_counts_as_received_when_it_came() -> None:
    (found,) = events_of(call(GOOD), EVENTS)
    assert found.occurred_at == NOW


def test_the_consumer_s_letters_are_events() -> None:
    sent = event("Product Added", "p")
    assert events_of(DeadLetter("dead:1-0", NOW, "consumer", "bites", "", encode(sent)), EVENTS) == [sent]


@pytest.mark.parametrize(
    "letter",
    [
        DeadLetter("dead:1-0", NOW, "consumer", "cannot be decoded", "", b"garbage"),
        call(GOOD, endpoint="nowhere"),
        call(BAD),
    ],
    ids=["no event", "no endpoint", "bad call"],
)
def test_what_still_cannot_be_taken_says_why(letter: DeadLetter) -> None:
    with pytest.raises(InvalidEventError, match=r"body|endpoint|product_id"):
        events_of(letter, EVENTS)
