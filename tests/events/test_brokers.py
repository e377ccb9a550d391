"""What every broker promises, run against each one we have."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from configs import Settings, load_settings
from configs.errors import ConfigError, PartError
from events.brokers import Broker, Delivery, connect
from events.brokers.partitions import partition_of
from events.contract import Event
from tests.events.builders import event
from tests.support.brokers import SERVERS, broker_settings, connected, put_raw
from tests.support.ports import free_port

PATIENCE_SECONDS = 20.0

Script = Callable[[Broker], Awaitable[None]]

DIES_WITH_EVENTS_IN_HAND = """
import asyncio, os, signal, sys
from configs import load_settings
from events.brokers import connect

async def main():
    broker = connect(load_settings())
    taken = []
    while len(taken) < int(sys.argv[1]):
        taken += await broker.read("doomed", limit=10, wait_ms=200)
    await broker.acknowledge([item for item in taken if item.event.message_id in sys.argv[2:]])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.fixture(params=SERVERS)
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings of one real broker and a stream of one's own."""
    return broker_settings(request, request.param)


def run(settings: Settings, script: Script) -> None:
    """Run a script against a connected broker."""

    async def inside() -> None:
        async with connected(settings) as broker:
            await script(broker)

    asyncio.run(inside())


async def take(broker: Broker, count: int, consumer: str = "one") -> list[Delivery]:
    """Return the next deliveries; fail when fewer come in time."""
    taken: list[Delivery] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(taken) < count:
        assert time.monotonic() < deadline, f"only {len(taken)} of {count} came"
        taken += await broker.read(consumer, limit=count - len(taken), wait_ms=200)
    return taken


async def nothing_comes(broker: Broker, seconds: float = 1.0) -> bool:
    """Return whether nothing is handed out for a while, longer than an unacknowledged event would lie."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await broker.read("one", limit=10, wait_ms=100):
            return False
    return True


def some(count: int, session: str = "s", first: int = 0) -> list[Event]:
    return [
        event("Product Added", f"p{number}", message=f"{session}-{number}", session=session)
        for number in range(first, first + count)
    ]


def ids(deliveries: Sequence[Delivery]) -> list[str]:
    return [item.event.message_id for item in deliveries]


def test_events_come_back_whole_and_each_session_in_its_order(settings: Settings) -> None:
    sessions = {name: some(20, session=name) for name in ("a", "b", "c", "дом", "🛒")}
    sent = [sessions[name][number] for number in range(20) for name in sessions]
    assert len({partition_of(name, settings.events.partitions) for name in sessions}) > 1

    async def script(broker: Broker) -> None:
        for start in range(0, len(sent), 30):
            await broker.publish(sent[start : start + 30])
        taken = await take(broker, len(sent))
        for name, events in sessions.items():
            assert [item.event for item in taken if item.event.session_id == name] == events
        assert {item.attempts for item in taken} == {1}

    run(settings, script)


def test_every_group_gets_everything_also_what_came_before_its_first_read(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as profiles, connected(settings, settings.events.record_group) as record:
            await profiles.publish(some(3))
            assert ids(await take(profiles, 3)) == ids(await take(record, 3))
            await profiles.publish(some(3, first=3))
            assert sorted(ids(await take(record, 3))) == [f"s-{number}" for number in (3, 4, 5)]

    asyncio.run(inside())


def test_what_was_acknowledged_never_comes_again_and_what_was_not_does(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(6))
        taken = await take(broker, 6)
        await broker.acknowledge([taken[1], taken[4]])
        again = await take(broker, 4)
        assert ids(again) == ["s-0", "s-2", "s-3", "s-5"]
        assert {item.attempts for item in again} == {2}
        await broker.acknowledge(again)
        assert await nothing_comes(broker)

    run(settings, script)
    run(settings, nothing_left)


async def nothing_left(broker: Broker) -> None:
    assert await nothing_comes(broker, seconds=3.0)  # Kafka's group needs a while to form
    assert (await broker.lag()).waiting == 0


def test_what_a_killed_consumer_had_in_hand_comes_again(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as broker:
            await broker.publish(some(5))
            variables = {
                f"TILLWISE_EVENTS__{name.upper()}": str(getattr(settings.events, name))
                for name in ("broker_url", "stream", "partitions", "reclaim_idle_ms")
            }
            command = [sys.executable, "-c", DIES_WITH_EVENTS_IN_HAND, "5", "s-0", "s-1"]
            dead = await asyncio.to_thread(subprocess.run, command, env=os.environ | variables, check=False)
            assert dead.returncode == -signal.SIGKILL
            again = await take(broker, 3)
            assert ids(again) == ["s-2", "s-3", "s-4"]
            await broker.acknowledge(again)
            assert await nothing_comes(broker)

    asyncio.run(inside())


def test_a_consumer_that_leaves_hands_over_what_it_did_not_acknowledge(settings: Settings) -> None:
    async def inside() -> None:
        async with connected(settings) as first:
            await first.publish(some(4))
            taken = await take(first, 4)
            await first.acknowledge(taken[:2])
        async with connected(settings) as second:
            assert ids(await take(second, 2, consumer="two")) == ["s-2", "s-3"]

    asyncio.run(inside())


def test_the_lag_tells_what_waits_and_what_is_unacknowledged(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        assert await broker.lag() == await broker.lag()
        for item in some(5):
            await broker.publish([item])
        assert (await broker.lag()).waiting == 5
        taken = await take(broker, 2)
        lag = await broker.lag()
        assert (lag.waiting, lag.unacknowledged) == (3, 2)
        await broker.acknowledge(taken)
        lag = await broker.lag()
        assert (lag.waiting, lag.unacknowledged) == (3, 0)

    run(settings, script)


def test_a_buried_event_is_a_dead_letter_until_it_is_forgotten(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish(some(3))
        taken = await take(broker, 3)
        await broker.bury(taken[0], "bites")
        await broker.bury(taken[2], "scratches")
        await broker.acknowledge(taken[1:2])
        assert await nothing_comes(broker)
        for _ in range(2):  # looking changes nothing
            letters = await broker.dead_letters(10)
            assert [(item.source, item.reason) for item in letters] == [
                ("consumer", "bites"),
                ("consumer", "scratches"),
            ]
        assert [item.reason for item in await broker.dead_letters(1)] == ["bites"]
        await broker.forget([letters[0].id, "dead:9-9", "nonsense"])
        assert [item.id for item in await broker.dead_letters(10)] == [letters[1].id]
        await broker.forget([letters[1].id])
        assert await broker.dead_letters(10) == []

    run(settings, script)


def test_a_rejected_call_is_kept_whole(settings: Settings) -> None:
    raw = b'{"event": "\xff\x00' + b"x" * 100_000

    async def script(broker: Broker) -> None:
        before = time.time()
        await broker.reject(raw, "track", "event", "is no text")
        (letter,) = await broker.dead_letters(10)
        assert (letter.source, letter.endpoint, letter.field) == ("collector", "track", "event")
        assert (letter.reason, letter.body) == ("is no text", raw)
        assert before <= letter.at <= time.time()

    run(settings, script)


def test_of_rejected_calls_the_newest_stay_and_of_buried_events_all(request: pytest.FixtureRequest) -> None:
    for name in ("redis streams", "rabbitmq"):  # Kafka bounds them by bytes
        settings = broker_settings(request, name, max_rejected_calls=3)

        async def script(broker: Broker) -> None:
            await broker.publish(some(5))
            for delivery in await take(broker, 5):
                await broker.bury(delivery, f"buried {delivery.event.message_id}")
            for number in range(5):
                await broker.reject(b"{}", "track", "event", f"rejected {number}")
            reasons = [letter.reason for letter in await broker.dead_letters(20)]
            assert reasons == [f"buried s-{n}" for n in range(5)] + [f"rejected {n}" for n in (2, 3, 4)]

        run(settings, script)


def test_entries_that_cannot_be_decoded_become_dead_letters_and_block_nothing(settings: Settings) -> None:
    async def first(broker: Broker) -> None:
        await broker.publish(some(1))
        await broker.acknowledge(await take(broker, 1))

    async def then(broker: Broker) -> None:
        await broker.publish(some(1, first=1))
        taken = await take(broker, 1)
        assert ids(taken) == ["s-1"]
        await broker.acknowledge(taken)
        assert await nothing_comes(broker)
        letters = await broker.dead_letters(10)
        assert sorted(letter.body for letter in letters) == [b"garbage", b"\x93\x01"]
        assert all(letter.source == "consumer" and "decoded" in letter.reason for letter in letters)
        lag = await broker.lag()
        assert (lag.waiting, lag.unacknowledged) == (0, 0)

    run(settings, first)
    put_raw(settings, [b"garbage", b"\x93\x01"])
    run(settings, then)


@pytest.mark.parametrize("name", ["redis streams", "rabbitmq"])  # Kafka keeps what waits on disk
def test_publishing_is_refused_while_too_much_waits_and_goes_on_when_all_groups_are_through(
    request: pytest.FixtureRequest, name: str
) -> None:
    settings = broker_settings(request, name, max_waiting=100)

    async def publish_until_refused(broker: Broker) -> int:
        """Return how many were accepted; RabbitMQ tells its quorum queues' publishers a little late."""
        for number in range(100):
            try:
                await broker.publish(some(10, first=10 * number))
            except PartError:
                return 10 * number
        pytest.fail("nothing was refused")

    async def inside() -> None:
        async with connected(settings) as profiles, connected(settings, settings.events.record_group) as record:
            accepted = await publish_until_refused(profiles)
            assert 100 <= accepted <= 200
            await profiles.acknowledge(await take(profiles, accepted))
            assert await publish_until_refused(profiles) <= 20, "the other group is not through"
            while await record_all(record):
                pass
            await profiles.publish(some(10, session="later"))
            assert {item.event.session_id for item in await take(record, 10)} == {"later"}

    async def record_all(record: Broker) -> bool:
        taken = await record.read("one", limit=50, wait_ms=500)
        await record.acknowledge(taken)
        return bool(taken)

    asyncio.run(inside())


def test_a_thousand_events_in_one_call_all_arrive(settings: Settings) -> None:
    sent = [event("Product Viewed", "p", message=str(number), session=f"s{number % 40}") for number in range(1_000)]

    async def script(broker: Broker) -> None:
        await broker.publish(sent)
        taken: list[Delivery] = []
        while len(taken) < len(sent):
            batch = await take(broker, min(100, len(sent) - len(taken)))
            await broker.acknowledge(batch)
            taken += batch
        assert sorted(ids(taken)) == sorted(item.message_id for item in sent)
        for session in {item.session_id for item in sent}:
            ours = [item.event.message_id for item in taken if item.event.session_id == session]
            assert ours == [item.message_id for item in sent if item.session_id == session]

    run(settings, script)


def test_many_may_publish_at_once_from_the_first_moment_on(settings: Settings) -> None:
    sent = [some(5, session=f"s{number}") for number in range(20)]

    async def script(broker: Broker) -> None:
        await asyncio.gather(*(broker.publish(events) for events in sent))
        taken = await take(broker, 100)
        for events in sent:
            assert [item.event for item in taken if item.event.session_id == events[0].session_id] == events

    run(settings, script)


def test_publishing_nothing_is_no_error_and_closing_twice_neither(settings: Settings) -> None:
    async def script(broker: Broker) -> None:
        await broker.publish([])
        await broker.acknowledge([])
        await broker.forget([])
        await broker.close()

    run(settings, script)
    asyncio.run(connect(settings).close())


@pytest.mark.parametrize("scheme", ["redis", "kafka", "amqp"])
def test_a_broker_that_is_away_does_not_accept(scheme: str) -> None:
    url = f"{scheme}://someone:secret@127.0.0.1:{free_port()}"

    async def inside() -> None:
        async with connected(load_settings(events={"broker_url": url})) as broker:
            with pytest.raises(PartError) as refused:
                await broker.publish(some(1))
            assert "secret" not in str(refused.value)
            with pytest.raises(PartError):
                await broker.read("one", limit=1, wait_ms=10)
            outcomes = await asyncio.gather(*(broker.publish(some(1)) for _ in range(20)), return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {PartError}

    asyncio.run(inside())


def test_a_scheme_that_nobody_speaks_is_named_and_its_password_is_not() -> None:
    with pytest.raises(ConfigError, match="carrier-pigeon") as refused:
        connect(load_settings(events={"broker_url": "carrier-pigeon://me:secret@loft"}))
    assert "secret" not in str(refused.value)


def test_a_process_loads_only_the_client_of_its_own_broker() -> None:
    code = (
        "import sys\nfrom configs import load_settings\nfrom events.brokers import connect\n"
        "connect(load_settings(events={'broker_url': 'redis://127.0.0.1:1'}))\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"confluent_kafka", "aio_pika", "aiormq"} & set(done.stdout.split()) == set()


def test_sessions_are_spread_over_partitions_alike_everywhere() -> None:
    # The check value by which every implementation of CRC-32 is known.
    assert partition_of("123456789", 8) == 0xCBF43926 % 8
    counts = [0] * 8
    for number in range(8_000):
        counts[partition_of(f"session-{number}", 8)] += 1
    assert min(counts) > 800
