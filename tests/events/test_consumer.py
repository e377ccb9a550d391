"""The consumer as a process: every event counts exactly once, whatever is killed."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from configs import Settings, load_settings
from events.brokers import DeadLetter, connect
from events.consumer import HEARTBEAT, Worker, beats_of
from events.contract import Event, decode
from events.embedded import EmbeddedRedis
from events.profiles import ProfileStore
from events.session import SessionState, decode_session, session_key
from tests.events.builders import NOW, event, replayed_cart
from tests.support.ports import free_port
from tests.support.streaming import Child, lag, publish
from tests.support.waiting import wait_until

RUN = "from configs import load_settings; from events.consumer import run_consumer; run_consumer(load_settings())"


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """Settings of an empty Redis; small batches, so that a consumer is often between two of them."""
    return load_settings(redis={"url": redis_url}, log={"level": "warning"}, events={"batch": 20})


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """The same, but everything is taken at a time, and what was not acknowledged is handed out again at once."""
    changed = {"reclaim_idle_ms": 1, "batch": 500}
    return settings.model_copy(update={"events": settings.events.model_copy(update=changed)})


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    """A client of that Redis."""
    with redis.Redis.from_url(settings.redis_url) as opened:
        yield opened


def consumer(settings: Settings) -> Child:
    return Child(settings, RUN)


def read(settings: Settings, session: str) -> SessionState:
    with redis.Redis.from_url(settings.redis_url) as client:
        raw = client.get(session_key(session))
        assert raw is None or isinstance(raw, bytes)
        return decode_session(raw, session)


def beats(client: redis.Redis) -> list[dict[str, Any]]:
    """Return the heartbeats of the consumers, the newest first."""
    answer: Any = client.hgetall(HEARTBEAT)
    return beats_of(answer)


def waiting(settings: Settings) -> int:
    return lag(settings).waiting


def wait_until_it_works(settings: Settings) -> None:
    """Return once a consumer has taken events that were waiting."""
    before = waiting(settings)
    wait_until(lambda: waiting(settings) < before)


def shopping(count: int, sessions: int, chance: random.Random) -> list[Event]:
    """Return distinct events of several sessions that put products in, take them out and check out."""
    names = ["Product Added"] * 6 + ["Product Removed"] * 3 + ["Order Completed"]
    return [
        event(
            chance.choice(names),
            f"p{chance.randrange(5)}",
            at=NOW + number,
            message=f"m{number}",
            session=f"s{number % sessions}",
            quantity=float(chance.randint(1, 3)),
        )
        for number in range(count)
    ]


def carts(events: Sequence[Event]) -> dict[str, dict[str, float]]:
    """Return the cart of each session by a plain replay."""
    sessions = {item.session_id for item in events}
    return {session: replayed_cart(item for item in events if item.session_id == session) for session in sessions}


def all_applied(settings: Settings, expected: dict[str, dict[str, float]]) -> bool:
    return all(read(settings, session).cart == cart for session, cart in expected.items())


def test_events_become_session_state_and_the_heartbeat_tells(settings: Settings, client: redis.Redis) -> None:
    with consumer(settings) as child:
        publish(settings, [event("Product Added", "a", message="1"), event("Product Added", "b", message="2")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})
        wait_until(lambda: [beat["applied"] for beat in beats(client)] == [2])
        (beat,) = beats(client)
        assert (beat["pid"], beat["last_event_at"], beat["buried"]) == (child.pid, NOW, 0)
        child.terminate()
        assert child.wait(10) == 0
    assert beats(client) == []


def test_killing_consumers_again_and_again_loses_and_repeats_nothing(settings: Settings) -> None:
    chance = random.Random(3)
    once = shopping(16_000, sessions=200, chance=chance)
    sent = once + chance.sample(once, 1_600)
    chance.shuffle(sent)
    publish(settings, sent)
    for _ in range(4):
        with consumer(settings) as child:
            wait_until_it_works(settings)
            time.sleep(chance.random() / 20)
            child.send_signal(signal.SIGKILL)
        assert waiting(settings) > 0, "it was to be killed in the middle"
    with consumer(settings), consumer(settings):
        wait_until(lambda: all_applied(settings, carts(once)))
        wait_until(lambda: lag(settings).unacknowledged == 0)
    assert all_applied(settings, carts(once))


def test_a_suspended_consumer_that_wakes_up_does_not_overwrite_what_others_wrote(settings: Settings) -> None:
    once = shopping(16_000, sessions=20, chance=random.Random(5))
    publish(settings, once)
    with consumer(settings) as first:
        wait_until_it_works(settings)
        first.send_signal(signal.SIGSTOP)
        assert waiting(settings) > 0, "it was to be suspended in the middle"
        with consumer(settings):
            wait_until(lambda: all_applied(settings, carts(once)))
            first.send_signal(signal.SIGCONT)
            first.terminate()
            assert first.wait(10) == 0
            assert all_applied(settings, carts(once))


def test_sigterm_finishes_the_batch_in_hand_and_hands_over(settings: Settings) -> None:
    once = shopping(16_000, sessions=150, chance=random.Random(7))
    publish(settings, once)
    with consumer(settings) as child:
        wait_until_it_works(settings)
        child.terminate()
        assert child.wait(10) == 0
    assert waiting(settings) > 0, "it was to be ended in the middle"
    assert lag(settings).unacknowledged == 0
    with consumer(settings):
        wait_until(lambda: all_applied(settings, carts(once)))


def test_several_consumers_share_the_work_and_the_sessions(settings: Settings, client: redis.Redis) -> None:
    once = shopping(20_000, sessions=40, chance=random.Random(9))
    with consumer(settings) as first, consumer(settings) as second:
        wait_until(lambda: len(beats(client)) == 2)
        publish(settings, once)
        wait_until(lambda: all_applied(settings, carts(once)))
        wait_until(lambda: sum(beat["applied"] for beat in beats(client)) == len(once))
        assert {beat["pid"] for beat in beats(client)} == {first.pid, second.pid}
        assert all(beat["applied"] > 0 for beat in beats(client))


def test_what_was_written_but_not_acknowledged_counts_once(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = shopping(20, sessions=3, chance=random.Random(11))
    publish(impatient, once)

    async def dies(*_: object) -> None:
        raise ConnectionResetError("the consumer is killed here")

    async def inside() -> None:
        broker = connect(impatient)
        async with redis.asyncio.Redis.from_url(impatient.redis_url) as opened:
            with monkeypatch.context() as patch:
                patch.setattr(broker, "acknowledge", dies)
                with pytest.raises(ConnectionResetError):
                    await Worker(impatient, broker, opened).step()
            written = {key: await opened.get(session_key(key)) for key in carts(once)}
            await asyncio.sleep(0.01)
            await Worker(impatient, broker, opened).step()
            assert {key: await opened.get(session_key(key)) for key in carts(once)} == written
            assert (await broker.lag()).unacknowledged == 0
        await broker.close()

    asyncio.run(inside())
    assert all_applied(impatient, carts(once))


def test_an_event_that_cannot_be_applied_holds_nobody_up_and_is_buried_with_the_reason(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = ProfileStore.apply

    async def choosy(store: ProfileStore, events: Sequence[Event]) -> None:
        if any(item.message_id == "poison" for item in events):
            raise ValueError("cannot digest that")
        await apply(store, events)

    monkeypatch.setattr(ProfileStore, "apply", choosy)
    publish(impatient, [event("Product Added", name, message=name) for name in ("a", "poison", "b")])

    async def inside() -> tuple[int, list[DeadLetter]]:
        broker = connect(impatient)
        async with redis.asyncio.Redis.from_url(impatient.redis_url) as opened:
            worker = Worker(impatient, broker, opened)
            for _ in range(2 * impatient.events.max_attempts + 2):
                await worker.step()
                await asyncio.sleep(0.005)
        assert (await broker.lag()).unacknowledged == 0
        letters = await broker.dead_letters(10)
        await broker.close()
        assert worker.applied == 2
        return worker.buried, letters

    buried, (letter,) = asyncio.run(inside())
    assert buried == 1
    assert read(impatient, "s").cart == {"a": 1.0, "b": 1.0}
    assert f"{impatient.events.max_attempts} attempts" in letter.reason
    assert "cannot digest that" in letter.reason
    assert decode(letter.body).message_id == "poison"


def test_it_goes_on_when_redis_comes_back(tmp_path: Path) -> None:
    port = free_port()
    settings = load_settings(redis={"url": f"redis://127.0.0.1:{port}/0"})
    with EmbeddedRedis(port, tmp_path) as server, consumer(settings):
        publish(settings, [event("Product Added", "a", message="1")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0})
        server.stop()
        time.sleep(0.5)  # long enough for the consumer to notice
        server.start()
        publish(settings, [event("Product Added", "b", message="2")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})
