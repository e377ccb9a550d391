"""`kill -9` of every part at random moments: each accepted event has its effect exactly once.

The short form runs with all other tests; `make drills` runs the full one. Both print what they did (`pytest -rP`).
Tansu, the broker of the Kafka protocol, holds everything in memory and is therefore not killed; its clients are.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import redis

from configs import Settings, load_settings
from events.brokers import DeadLetter, Lag, connect
from events.record.database import open_database
from events.record.log import log_folder, read_log
from events.session import decode_session, session_key
from events.shopper import shopper_key
from events.shopper.store import decode_orders
from tests.drills.parts import Part, Process, RabbitPart, RedisPart, collector, command, wait_until_answers
from tests.drills.sender import Sender
from tests.drills.stream import Outcome, batches, expected, sent, shopping
from tests.support.kafka import Kafka
from tests.support.ports import free_port
from tests.support.rabbitmq import installed

DRAIN_SECONDS = 240.0
SETTLE_SECONDS = 3.0
"""After which RabbitMQ's queues, once made, outlive a crash."""
WORKERS = [("consume", 1), ("consume", 2), ("record", 1)]


@dataclass(frozen=True)
class Form:
    """How much is sent, how fast (events per second), and the most that is accepted between two rounds of killing."""

    events: int
    per_second: float
    gap: int


FORM = Form(50_000, 500, 1_600) if os.environ.get("DRILLS") == "full" else Form(3_000, 600, 400)


@dataclass
class Scene:
    """Everything that runs.

    Attributes:
        settings: of all of it. collector, workers: our processes. stores: what keeps data and is killed as well.
        url: of the collector.
    """

    settings: Settings
    collector: Process
    workers: list[Process]
    stores: list[Part]
    url: str

    @property
    def parts(self) -> list[Part]:
        """All that is killed."""
        return [*self.stores, self.collector, *self.workers]


@pytest.fixture(params=["redis", "kafka", "rabbitmq"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A broker of that name, Redis, the collector, two consumers and the recorder, all up."""
    with ExitStack() as stack:
        profiles = RedisPart(tmp_path / "redis")
        stack.callback(profiles.clear)
        profiles.start()
        broker_url, stores = profiles.url, list[Part]([profiles])
        if request.param == "kafka":
            tansu = Kafka(tmp_path)
            stack.callback(tansu.stop)
            tansu.start()
            broker_url = tansu.url
        elif request.param == "rabbitmq":
            installed()
            rabbit = RabbitPart(tmp_path / "rabbitmq")
            stack.callback(rabbit.clear)
            rabbit.start()
            broker_url, stores = rabbit.url, [profiles, rabbit]
        yield _started(stack, stores, environment_of(profiles.url, broker_url, tmp_path), tmp_path)


def environment_of(redis_url: str, broker_url: str, folder: Path) -> dict[str, str]:
    """Return variables that make small batches, several log files, and a killed consumer's events come back soon."""
    return {
        "TILLWISE_HOME": str(folder / "home"),
        "TILLWISE_REDIS__URL": redis_url,
        "TILLWISE_EVENTS__BROKER_URL": broker_url,
        "TILLWISE_EVENTS__STREAM": "drill",
        "TILLWISE_EVENTS__PARTITIONS": "4",
        "TILLWISE_EVENTS__BATCH": "50",
        "TILLWISE_EVENTS__RECLAIM_IDLE_MS": "1000",
        "TILLWISE_RECORD__BATCH": "50",
        "TILLWISE_RECORD__FLUSH_EVENTS": "500",
        "TILLWISE_LOG__LEVEL": "warning",
    }


def _started(stack: ExitStack, stores: list[Part], environment: Mapping[str, str], folder: Path) -> Scene:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = load_settings()
    port = free_port()
    collecting = collector(port, environment, folder)
    workers = [command(name, environment, folder, number) for name, number in WORKERS]
    for part in (collecting, *workers):
        stack.callback(part.clear)
        part.start()
    url = f"http://127.0.0.1:{port}"
    wait_until_answers(url)
    return Scene(settings, collecting, workers, stores, url)


def test_every_accepted_event_counts_exactly_once_whatever_is_killed(scene: Scene) -> None:
    chance = random.Random(20)
    once = shopping(FORM.events, chance)
    stream = list(batches(sent(once, chance), chance))
    if len(scene.stores) > 1:
        assert lag_of(scene.settings) == [Lag(0, 0)] * 2  # which makes the queues
        time.sleep(SETTLE_SECONDS)
    began = time.monotonic()
    with Sender(scene.url, stream, FORM.per_second) as client:
        torment(scene, client, chance)
        client.wait()
    sending = time.monotonic() - began
    assert client.errors == []
    assert {item.message_id for item in client.accepted} == {item.message_id for item in once}
    assert all(part.kills for part in scene.parts), "every part was to be killed while events came"
    wanted = expected(
        list({x.message_id: x for x in client.accepted}.values()), scene.settings.events.max_shopper_orders
    )
    drain(scene, wanted)
    same(found(scene.settings, wanted.carts), wanted)
    assert letters_of(scene.settings) == []
    kills = ", ".join(f"{part.name} {part.kills}" for part in scene.parts)
    print(
        f"{len(once):,} events, {len(client.accepted) - len(once):,} of them twice, accepted in {sending:.0f} s, all "
        f"applied after {time.monotonic() - began:.0f} s; {client.refused} batches sent again; killed: {kills}."
    )


def torment(scene: Scene, client: Sender, chance: random.Random) -> None:
    """Kill one to three parts at a time and start them again, in random order, until everything is sent."""
    deck: list[Part] = []
    while client.sending:
        wait_for_progress(client, chance.randint(1, FORM.gap))
        if not deck:
            deck = chance.sample(scene.parts, len(scene.parts))
        victims = [deck.pop() for _ in range(min(len(deck), chance.choice([1, 1, 2, 3])))]
        for part in victims:
            part.kill()
            time.sleep(chance.uniform(0, 0.3))
        for part in chance.sample(victims, len(victims)):
            part.start()


def wait_for_progress(client: Sender, events: int) -> None:
    """Return once so many more events are accepted, or nothing is left to be sent."""
    awaited = len(client.accepted) + events
    while client.sending and len(client.accepted) < awaited:
        time.sleep(0.005)


def drain(scene: Scene, wanted: Outcome) -> None:
    """Let the workers finish, and end them gracefully: afterwards nothing waits and nothing is under way.

    Raises:
        AssertionError: they do not finish in time.
    """
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline and not (
        lag_of(scene.settings) == [Lag(0, 0)] * 2 and found(scene.settings, wanted.carts) == wanted
    ):
        time.sleep(0.3)
    for worker in scene.workers:
        assert worker.end() == 0, worker.said()
    left = lag_of(scene.settings)
    if left != [Lag(0, 0)] * 2:
        same(found(scene.settings, wanted.carts), wanted)
        pytest.fail(f"what was taken was never acknowledged: {left}")


def lag_of(settings: Settings) -> list[Lag]:
    """Return how far the two groups are behind."""

    async def inside() -> list[Lag]:
        found = []
        for group in (settings.events.group, settings.events.record_group):
            broker = connect(settings, group)
            found.append(await broker.lag())
            await broker.close()
        return found

    return asyncio.run(inside())


def letters_of(settings: Settings) -> list[DeadLetter]:
    """Return the dead letters."""

    async def inside() -> list[DeadLetter]:
        broker = connect(settings)
        letters = await broker.dead_letters(100)
        await broker.close()
        return letters

    return asyncio.run(inside())


def found(settings: Settings, sessions: Sequence[str] | Mapping[str, object]) -> Outcome:
    """Return what the parts made of the stream: profiles from Redis, the record from SQLite and Parquet."""
    names = list(sessions)
    with redis.Redis.from_url(settings.redis_url) as client:
        records = client.mget([session_key(name) for name in names])
        shoppers = client.mget([shopper_key(name) for name in names])
    carts = {name: decode_session(raw, name).cart for name, raw in zip(names, records, strict=True)}
    newest = {
        name: {order.order_id for order in decode_orders(raw).orders} for name, raw in zip(names, shoppers, strict=True)
    }
    return Outcome(carts, newest, *_recorded(settings))


def _recorded(settings: Settings) -> tuple[dict[str, Any], dict[str, Any], list[str], list[str]]:
    with closing(sqlite3.connect(settings.work.record / "record.db")) as database:
        query = "SELECT order_id, message_id, placed_at, session_id, value FROM orders"
        orders = {row[0]: row[1:] for row in database.execute(query)}
        lines: dict[str, Any] = {name: [] for name in orders}
        query = "SELECT order_id, product_id, quantity, unit_price FROM order_lines ORDER BY order_id, line"
        for name, *line in database.execute(query):
            lines[name].append(tuple(line))
        query = "SELECT message_id FROM outcomes WHERE kind = 'add' ORDER BY message_id"
        added = [row[0] for row in database.execute(query)]
    engine = open_database(settings, write=False)
    log = sorted(read_log(engine, log_folder(settings)).column("message_id").to_pylist())
    engine.dispose()
    return orders, lines, added, log


def same(one: Outcome, other: Outcome) -> None:
    """Compare piece by piece, so that a failure names what is wrong."""
    for piece in fields(Outcome):
        mine, theirs = getattr(one, piece.name), getattr(other, piece.name)
        if isinstance(mine, dict):
            wrong = {key: (mine.get(key), theirs.get(key)) for key in mine | theirs if mine.get(key) != theirs.get(key)}
            assert wrong == {}, f"{piece.name}: {len(wrong)} differ (found, expected)"
        else:
            assert mine == theirs, f"{piece.name}: {len(mine)} found, {len(theirs)} expected"
