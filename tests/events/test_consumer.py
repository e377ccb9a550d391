"""The consumer as a process: every event counts exactly once, whatever is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import redis

from configs import Settings, load_settings
from events.brokers import Lag, connect
from events.brokers.partitions import partition_of
from events.consumer import HEARTBEAT, LEASE
from events.contract import Event
from events.embedded import EmbeddedRedis
from events.session import SessionState, decode_session, session_key
from tests.events.builders import NOW, event, replayed_cart
from tests.support.ports import free_port
from tests.support.waiting import wait_until

RUN = "from configs import load_settings; from events.consumer import run_consumer; run_consumer(load_settings())"


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """Settings of an empty Redis; small batches, so that a consumer is often between two of them."""
    return load_settings(
        redis={"url": redis_url}, log={"level": "warning"}, events={"batch": 20, "reclaim_idle_ms": 1_000}
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    """A client of that Redis."""
    with redis.Redis.from_url(settings.redis_url) as opened:
        yield opened


class Consumer:
    """A consumer process; killed, if it still runs, when the block ends."""

    def __init__(self, settings: Settings) -> None:
        self._environment = os.environ | {
            "TILLWISE_REDIS__URL": settings.redis_url,
            "TILLWISE_LOG__LEVEL": "warning",
            "TILLWISE_EVENTS__BATCH": str(settings.events.batch),
            "TILLWISE_EVENTS__RECLAIM_IDLE_MS": str(settings.events.reclaim_idle_ms),
        }

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen([sys.executable, "-c", RUN], env=self._environment)
        return self._child

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()


def publish(settings: Settings, events: Sequence[Event]) -> None:
    async def inside() -> None:
        broker = connect(settings)
        for start in range(0, len(events), 100):
            await broker.publish(events[start : start + 100])
        await broker.close()

    asyncio.run(inside())


def read(settings: Settings, session: str) -> SessionState:
    with redis.Redis.from_url(settings.redis_url) as client:
        raw = client.get(session_key(session))
        assert raw is None or isinstance(raw, bytes)
        return decode_session(raw, session)


def lag(settings: Settings) -> Lag:
    async def inside() -> Lag:
        broker = connect(settings)
        found = await broker.lag()
        await broker.close()
        return found

    return asyncio.run(inside())


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
    with Consumer(settings) as child:
        publish(settings, [event("Product Added", "a", message="1"), event("Product Added", "b", message="2")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})
        wait_until(lambda: json.loads(client.get(HEARTBEAT) or b"{}").get("applied") == 2)
        beat = json.loads(client.get(HEARTBEAT) or b"{}")
        assert (beat["pid"], beat["last_event_at"]) == (child.pid, NOW)


def test_killing_the_consumer_again_and_again_loses_and_repeats_nothing(
    settings: Settings, client: redis.Redis
) -> None:
    chance = random.Random(3)
    once = shopping(8_000, sessions=200, chance=chance)
    sent = once + chance.sample(once, 800)
    chance.shuffle(sent)
    publish(settings, sent)
    for _ in range(4):
        with Consumer(settings) as child:
            wait_until_it_works(settings)
            time.sleep(chance.random() / 20)
            child.send_signal(signal.SIGKILL)
        assert waiting(settings) > 0, "it was to be killed in the middle"
        client.delete(LEASE)  # what the dead consumer held lapses by itself, only later
    with Consumer(settings):
        wait_until(lambda: all_applied(settings, carts(once)))
        wait_until(lambda: lag(settings).unacknowledged == 0)
    assert all_applied(settings, carts(once))


def test_a_suspended_consumer_that_wakes_up_does_not_overwrite_its_successor(
    settings: Settings, client: redis.Redis
) -> None:
    chance = random.Random(5)
    once = shopping(6_000, sessions=150, chance=chance)
    publish(settings, once)
    with Consumer(settings) as first:
        wait_until_it_works(settings)
        first.send_signal(signal.SIGSTOP)
        assert waiting(settings) > 0, "it was to be suspended in the middle"
        client.delete(LEASE)
        with Consumer(settings):
            wait_until(lambda: all_applied(settings, carts(once)))
            first.send_signal(signal.SIGCONT)
            first.terminate()
            assert first.wait(10) == 0
            assert all_applied(settings, carts(once))


def test_sigterm_finishes_the_batch_in_hand_and_hands_over(settings: Settings, client: redis.Redis) -> None:
    once = shopping(6_000, sessions=150, chance=random.Random(7))
    publish(settings, once)
    with Consumer(settings) as child:
        wait_until_it_works(settings)
        child.terminate()
        assert child.wait(10) == 0
    assert waiting(settings) > 0, "it was to be ended in the middle"
    assert lag(settings).unacknowledged == 0
    assert client.get(LEASE) is None
    with Consumer(settings):
        wait_until(lambda: all_applied(settings, carts(once)))


def test_a_second_consumer_stands_by_and_takes_over_when_the_first_is_killed(
    settings: Settings, client: redis.Redis
) -> None:
    def holder() -> int:
        return int((client.get(LEASE) or b"-0").rpartition(b"-")[2])

    def connected(child: subprocess.Popen[bytes]) -> bool:
        return any(link.status == psutil.CONN_ESTABLISHED for link in psutil.Process(child.pid).net_connections())

    with Consumer(settings) as first:
        wait_until(lambda: holder() == first.pid)
        with Consumer(settings) as second:
            wait_until(lambda: connected(second))
            publish(settings, [event("Product Added", "a", message="1")])
            wait_until(lambda: read(settings, "s").cart == {"a": 1.0})
            assert holder() == first.pid
            stream = f"{settings.events.stream}:{partition_of('s', settings.events.partitions)}"
            assert len(client.xinfo_consumers(stream, settings.events.group)) == 1
            first.kill()
            publish(settings, [event("Product Added", "b", message="2")])
            wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})
            assert holder() == second.pid


def test_it_goes_on_when_redis_comes_back(tmp_path: Path) -> None:
    port = free_port()
    settings = load_settings(redis={"url": f"redis://127.0.0.1:{port}/0"})
    with EmbeddedRedis(port, tmp_path) as server, Consumer(settings):
        publish(settings, [event("Product Added", "a", message="1")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0})
        server.stop()
        time.sleep(0.5)  # long enough for the consumer to notice
        server.start()
        publish(settings, [event("Product Added", "b", message="2")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})
