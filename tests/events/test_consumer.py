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
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import redis

from configs import Settings, load_settings
from events.brokers import connect
from events.consumer import HEARTBEAT
from events.contract import Event
from events.embedded import EmbeddedRedis
from events.session import SessionRecord, SessionState, decode_session, session_key
from events.session.state import Limits
from tests.events.builders import NOW, event
from tests.support.ports import free_port

PATIENCE_SECONDS = 30.0
RUN = "from configs import load_settings; from events.consumer import run_consumer; run_consumer(load_settings())"


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """Settings of an empty Redis."""
    return load_settings(redis={"url": redis_url}, log={"level": "warning"})


class Consumer:
    """A consumer process; killed, if it still runs, when the block ends."""

    def __init__(self, settings: Settings) -> None:
        self._environment = os.environ | {"TILLWISE_REDIS__URL": settings.redis_url, "TILLWISE_LOG__LEVEL": "warning"}

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


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def oracle(settings: Settings, events: Sequence[Event]) -> dict[str, SessionState]:
    limits = Limits(settings.events.max_session_events, settings.events.max_session_products)
    records: dict[str, SessionRecord] = {}
    for item in events:
        records[item.session_id] = records.get(item.session_id, SessionRecord()).apply(item, limits)
    return {session: record.state(session, limits) for session, record in records.items()}


def test_events_become_session_state_and_the_heartbeat_tells(settings: Settings) -> None:
    with Consumer(settings) as child:
        publish(settings, [event("Product Added", "a", message="1"), event("Product Added", "b", message="2")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})
        with redis.Redis.from_url(settings.redis_url) as client:
            assert json.loads(client.get(HEARTBEAT) or b"{}")["pid"] == child.pid


def test_killing_the_consumer_again_and_again_loses_and_repeats_nothing(settings: Settings) -> None:
    chance = random.Random(3)
    once = [
        event(
            "Product Added", f"p{chance.randrange(5)}", at=NOW + n, message=f"m{n}", session=f"s{chance.randrange(60)}"
        )
        for n in range(4_000)
    ]
    sent = [copy for item in once for copy in [item] * (2 if chance.random() < 0.05 else 1)]
    expected = oracle(settings, once)
    for start in range(0, len(sent), 1_000):
        publish(settings, sent[start : start + 1_000])
        with Consumer(settings) as child:
            time.sleep(0.4 + chance.random() * 0.4)
            child.send_signal(signal.SIGKILL)
    with Consumer(settings):
        wait_until(lambda: all(read(settings, session) == state for session, state in expected.items()))


def test_sigterm_ends_it_cleanly(settings: Settings) -> None:
    with Consumer(settings) as child:
        publish(settings, [event("Product Added", "a")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0})
        child.terminate()
        assert child.wait(10) == 0


def test_a_stand_by_takes_over(settings: Settings) -> None:
    with Consumer(settings) as first:
        publish(settings, [event("Product Added", "a", message="1")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0})
        with Consumer(settings):
            first.kill()
            publish(settings, [event("Product Added", "b", message="2")])
            wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})


def test_it_goes_on_when_redis_comes_back(tmp_path: Path) -> None:
    port = free_port()
    settings = load_settings(redis={"url": f"redis://127.0.0.1:{port}/0"})
    with EmbeddedRedis(port, tmp_path) as server, Consumer(settings):
        publish(settings, [event("Product Added", "a", message="1")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0})
        server.stop()
        time.sleep(0.5)
        server.start()
        publish(settings, [event("Product Added", "b", message="2")])
        wait_until(lambda: read(settings, "s").cart == {"a": 1.0, "b": 1.0})
