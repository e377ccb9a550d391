"""The writer: whatever is delivered how often in which order, the record is the same; nothing is lost or blocks."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from configs import load_settings
from events.contract import Event, Line
from events.record import tables, writer
from events.record.database import migrate, open_database
from events.record.log import log_folder, read_log
from events.record.writer import write
from tests.events.builders import NOW
from tests.events.record.support import MemoryBroker, Record, drain, exposed, order, seen
from tests.support.streaming import Child, lag, publish
from tests.support.waiting import wait_until

TABLES = (
    *(tables.orders, tables.order_lines, tables.outcomes, tables.outcome_lines),
    *(tables.exposures, tables.exposure_lines),
)
NAMES = ("Product List Viewed", "Product Clicked", "Product Added", "Product Viewed")

times = st.integers(0, 3).map(lambda second: NOW + second)
lines = st.lists(st.builds(Line, st.sampled_from("pq"), st.sampled_from([1.0, 2.0])), max_size=3).map(tuple)
messages = st.sampled_from(["m1", "m2", "m3", "m4"])
orders = st.builds(
    lambda name, lines, at, message: order(name, *lines, at=at, message=message),
    st.sampled_from(["o1", "o2"]),
    lines,
    times,
    messages,
)
outcomes = st.builds(
    lambda name, lines, at, message: seen(name, *lines, at=at, message=message),
    st.sampled_from(NAMES),
    lines,
    times,
    messages,
)
exposures = st.builds(exposed, st.sampled_from(["r1", "r2"]))
deliveries = st.lists(orders | outcomes | exposures, min_size=1, max_size=12)


def content(record: Record) -> tuple[list[object], pa.Table]:
    """Return all that a record holds, its log compacted."""
    record.flush()
    record.compact()
    return [record.rows(table) for table in TABLES], record.log()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries, st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_and_repetition_of_deliveries_gives_the_same_record(
    new_record: Callable[[], Record], events: list[Event], dice: random.Random, at_a_time: int
) -> None:
    one, other = new_record(), new_record()
    one.store(*events)
    again = events + dice.choices(events, k=len(events))
    dice.shuffle(again)
    for start in range(0, len(again), at_a_time):
        other.store(*again[start : start + at_a_time])
        if dice.random() < 0.4:
            other.flush()
        if dice.random() < 0.2:
            other.compact()
    (tables_of_one, log_of_one), (tables_of_other, log_of_other) = content(one), content(other)
    assert tables_of_one == tables_of_other
    assert log_of_one.equals(log_of_other)
    assert set(log_of_one["message_id"].to_pylist()) == {event.message_id for event in events}


def test_everything_delivered_is_written_and_acknowledged(record: Record) -> None:
    events = [order(f"o{number}", message=f"m{number}") for number in range(2_500)]
    broker = MemoryBroker(events)
    assert drain(record, broker).stored == 2_500
    assert len(record.rows(tables.orders)) == 2_500
    assert len(record.log()) == 2_500


def test_nothing_is_acknowledged_that_is_not_committed(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = MemoryBroker([order(f"o{number}", message=f"m{number}") for number in range(10)])
    real, failures = writer.record_events, iter([True, True, False])

    def failing(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type] # passed on as they came
        if next(failures, False):
            assert len(broker.open) == 10
            raise OperationalError("commit", None, Exception("the disk is full"))

    async def until_done() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(write(record.settings, broker, stop))
        while broker.open:
            await asyncio.sleep(0.01)
        stop.set()
        await task

    monkeypatch.setattr(writer, "record_events", failing)
    asyncio.run(until_done())
    assert len(record.rows(tables.orders)) == 10


def test_an_event_that_no_table_can_hold_is_buried_and_blocks_nothing(record: Record) -> None:
    good = [order(f"o{number}", message=f"m{number}") for number in range(3)]
    bad = [
        order("bad", message="no time", at=1e300),
        order("bad", Line("p", position=2**31), message="no place"),
        order("bad", message="no step", checkout_step=2**64 - 1),
        order("bad", message="never", at=float("nan")),
    ]
    broker = MemoryBroker([*good[:2], *bad, *good[2:]])
    drain(record, broker)
    assert [event.message_id for event, _ in broker.buried] == [event.message_id for event in bad]
    assert all("cannot hold it" in reason for _, reason in broker.buried)
    assert record.flush() == 3
    assert [row["order_id"] for row in record.rows(tables.orders)] == ["o0", "o1", "o2"]


def test_a_broken_file_of_the_log_keeps_nobody_from_recording(new_record: Callable[[], Record]) -> None:
    record = new_record()
    for message in ("m1", "m2"):
        record.store(order(message=message))
        record.flush()
    record.files()[0].write_bytes(b"no parquet")
    assert drain(record, MemoryBroker([order("later", message="m3")])).stored == 1
    assert len(record.files()) == 2


def test_an_event_that_the_database_refuses_is_buried_where_it_does(new_record: Callable[[], Record]) -> None:
    record = new_record()
    broker = MemoryBroker([order("o1", message="m1"), order("nul", Line("a\x00b"), message="m2")])
    drain(record, broker)
    kept = [row["order_id"] for row in record.rows(tables.orders)]
    assert sorted([*kept, *(event.order.order_id for event, _ in broker.buried if event.order)]) == ["nul", "o1"]
    assert "o1" in kept


RUN = "from configs import load_settings; from events.record.writer import run_writer; run_writer(load_settings())"


def test_a_killed_writer_has_acknowledged_nothing_that_is_not_stored(redis_url: str, tmp_path: Path) -> None:
    settings = load_settings(
        home=tmp_path, redis={"url": redis_url}, record={"batch": 50, "flush_events": 300, "flush_seconds": 0.5}
    )
    events = [order(f"o{number}", message=f"m{number}") for number in range(5_000)]
    publish(settings, events)
    engine = open_database(settings, write=True)

    migrate(engine)

    def stored() -> list[str]:
        return read_log(engine, log_folder(settings))["message_id"].to_pylist()

    with Child(settings, RUN) as child:
        wait_until(lambda: len(stored()) > 0)
        child.send_signal(signal.SIGKILL)
    assert len(stored()) < 5_000, "it was to be killed in the middle"
    with Child(settings, RUN) as child:
        wait_until(lambda: lag(settings, settings.events.record_group).waiting == 0)
        child.terminate()
        assert child.wait(15) == 0
    found = stored()
    assert len(found) == len(set(found))
    assert len(found) + lag(settings, settings.events.record_group).unacknowledged >= 5_000
    engine.dispose()
