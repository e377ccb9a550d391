"""What only Kafka does: partitions move between consumers, and only how far each is done is remembered."""

from __future__ import annotations

import asyncio
import random

import pytest

from events.brokers.kafka import Offsets
from events.brokers.kafka_topics import client_config, session_timeout_ms
from tests.events.builders import event
from tests.support.brokers import broker_settings, connected

PATIENCE = 150


def test_partitions_are_shared_and_a_late_acknowledgement_is_no_error(request: pytest.FixtureRequest) -> None:
    settings = broker_settings(request, "kafka", partitions=4, reclaim_idle_ms=60_000)
    sent = [event("Product Added", "p", message=str(number), session=f"s{number}") for number in range(40)]
    later = [event("Product Added", "p", message=f"later {n}", session=f"s{n}") for n in range(40)]

    async def inside() -> None:
        async with connected(settings) as first, connected(settings) as second:
            await first.publish(sent)
            early = []
            while len(early) < len(sent):
                early += await first.read("one", limit=50, wait_ms=200)
            seen: dict[str, set[str]] = {"one": set(), "two": set()}
            for number in range(PATIENCE):
                for name, broker in (("one", first), ("two", second)):
                    taken = await broker.read(name, limit=50, wait_ms=100)
                    seen[name] |= {item.event.message_id for item in taken}
                    await broker.acknowledge(taken)
                if number == PATIENCE // 3:
                    await first.publish(later)
                if seen["one"] | seen["two"] >= {item.message_id for item in later} and seen["two"]:
                    break
            assert seen["one"] | seen["two"] >= {item.message_id for item in later}
            assert seen["two"] & {item.message_id for item in sent}, (
                "what moved was not acknowledged, so it comes again"
            )
            await first.acknowledge(early)
            assert (await first.lag()).unacknowledged == 0

    asyncio.run(inside())


def test_what_is_committed_is_the_lowest_offset_that_is_not_acknowledged() -> None:
    chance = random.Random(4)
    for _ in range(50):
        tracked, offsets = Offsets(), [100 + 2 * number for number in range(30)]  # compaction leaves gaps
        for offset in offsets:
            tracked.handed(offset)
        left = list(offsets)
        for offset in chance.sample(offsets, len(offsets)):
            was_lowest = offset == left[0]
            left.remove(offset)
            assert tracked.acknowledge(offset) == was_lowest
            assert tracked.lowest == (left[0] if left else offsets[-1] + 1)
            assert not tracked.acknowledge(offset), "a second time changes nothing"


def test_the_url_says_who_connects_and_how() -> None:
    plain = client_config("kafka://a:9092,b:9093")
    assert plain["bootstrap.servers"] == "a:9092,b:9093"
    assert "sasl.username" not in plain
    known = client_config("kafka://me:p%40ss@a:9092?security.protocol=SASL_SSL&sasl.mechanism=SCRAM-SHA-256")
    assert (known["bootstrap.servers"], known["sasl.username"], known["sasl.password"]) == ("a:9092", "me", "p@ss")
    assert (known["security.protocol"], known["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-256")


def test_how_long_a_killed_consumer_is_waited_for_may_stand_in_the_url() -> None:
    assert session_timeout_ms("kafka://a:9092") == 6_000
    assert session_timeout_ms("kafka://a:9092?session.timeout.ms=10000") == 10_000
    assert "session.timeout.ms" not in client_config("kafka://a:9092?session.timeout.ms=10000")
