"""A person who is erased is in no row and no file of the record any more, and nobody else has lost anything."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.event import listen

from configs import Settings, load_settings
from configs.errors import PartError
from configs.home import write_json
from events.contract import Event, Line
from events.erasure import Part
from events.exposure import message_id
from events.record import forgetting, parquet, tables
from events.record.database import open_database, store
from events.record.forgetting import LOG_IN_USE, VACUUMED_LATER, RecordEraser, erase_from_log
from events.record.log import log_folder, read_log
from events.record.reading import ids_of_person, read_orders
from events.record.rows import families_of
from events.record.writing import suppress, without_suppressed
from events.suppression import digest
from tests.events.builders import NOW, alias, identify
from tests.events.record.support import (
    DAY,
    FILE_STEPS,
    TODAY,
    MemoryBroker,
    Record,
    die_after,
    drain,
    exposed,
    ids,
    order,
    received,
    refund,
    seen,
    write,
)

PERSON = ["anna-cookie", "anna-account", "anna-visit", "anna-before"]
WISH = NOW + 3 * DAY


def of_anna(number: int) -> list[Event]:
    """Return events that name her in each of the ways there are."""
    at = NOW + number * DAY
    nobody = {"shopper_id": None, "anonymous_id": None}
    told = [
        order(f"anna-{number}", at=at, message=f"a1-{number}", shopper_id="anna-account"),
        seen("Product Clicked", Line("p"), at=at, message=f"a2-{number}", anonymous_id="anna-cookie"),
        seen("Product Added", Line("p"), at=at, message=f"a3-{number}", shopper_id="anna-account"),
        order(f"anna-too-{number}", at=at, message=f"a6-{number}", **nobody),
        identify("anna-cookie", "anna-account", at=at, message=f"a4-{number}"),
        alias("anna-before", "anna-account", at=at, message=f"a5-{number}"),
        refund(f"anna-{number}", Line("p"), at=at, message=f"a11-{number}", shopper_id="anna-account"),
        exposed(f"a7-{number}", at=at, unit="anna-cookie"),
        exposed(f"a8-{number}", at=at, shopper_id="anna-account"),
        exposed(f"a9-{number}", at=at, anonymous_id="anna-before"),
        exposed(f"a10-{number}", at=at, session_id="anna-visit"),
    ]
    return [_received(event, "anna-visit" if event.message_id.startswith("a6") else event.session_id) for event in told]


def _received(event: Event, session: str) -> Event:
    values = {name: getattr(event, name) for name in event.__struct_fields__}
    return Event(**(values | {"received_at": event.occurred_at, "session_id": session}))


def of_others(number: int) -> list[Event]:
    at = NOW + number * DAY
    return [
        order(f"berta-{number}", at=at, message=f"b1-{number}", shopper_id="berta", anonymous_id="anna"),
        seen("Product Clicked", Line("anna"), at=at, message=f"b2-{number}", shopper_id="anna-account-2"),
        _received(identify("c", "berta", at=at, message=f"b3-{number}"), "s1"),
        refund(f"berta-{number}", Line("p"), at=at, message=f"b5-{number}", shopper_id="berta"),
        exposed(f"b4-{number}", at=at, unit="anna", shopper_id="berta"),
    ]


def messages_of_others() -> list[str]:
    return sorted(event.message_id for event in of_others(0))


def erase(record: Record) -> Part:
    return asyncio.run(RecordEraser(record.settings).erase(PERSON, WISH))


def content_of(record: Record) -> bytes:
    """Return everything of the record: all rows as text, all files' bytes, Parquet decoded too."""
    found = [repr(record.rows(table)).encode() for table in tables.metadata.sorted_tables]
    for path in record.settings.work.record.rglob("*"):
        if path.is_file():
            found.append(path.read_bytes())
            if path.suffix == ".parquet":
                found.append(repr(pq.ParquetFile(path).read().to_pylist()).encode())
    return b"\n".join(found)


def assert_free_of_her(record: Record) -> None:
    kept = content_of(record).replace(b"anna-account-2", b"")
    for an_id in PERSON:
        assert an_id.encode() not in kept


def test_no_row_and_no_file_holds_the_person_and_everybody_else_is_untouched(record: Record) -> None:
    for number in range(2):
        record.store(*of_anna(number), *of_others(number))
        record.flush()
    record.store(*of_anna(2), *of_others(2))  # these still wait in the database
    assert b"anna-cookie" in content_of(record)
    part = erase(record)
    assert_free_of_her(record)
    assert part.removed == {
        "refunds": 3,
        "orders": 6,
        "outcomes": 6,
        "exposures": 12,
        "events in the database": 11,
        "links": 4,
        "events in files": 22,
    }
    others = [event for number in range(3) for event in of_others(number)]
    assert ids(record.log()) == sorted(event.message_id for event in others)
    assert [row["order_id"] for row in record.rows(tables.orders)] == ["berta-0", "berta-1", "berta-2"]
    assert [row["order_id"] for row in record.rows(tables.order_lines)] == ["berta-0", "berta-1", "berta-2"]
    assert [row["order_id"] for row in record.rows(tables.refunds)] == ["berta-0", "berta-1", "berta-2"]
    assert len(record.rows(tables.refund_lines)) == 3
    assert len(record.rows(tables.outcomes)) == len(record.rows(tables.outcome_lines)) == 3
    assert [row["request_id"] for row in record.rows(tables.exposures)] == ["b4-0", "b4-1", "b4-2"]
    assert len(record.rows(tables.exposure_lines)) == 6
    assert {row["owner"] for row in record.rows(tables.links)} == {"berta", "c"}
    left = VACUUMED_LATER if record.engine.dialect.name == "postgresql" else None
    assert part.left == left
    again = erase(record)
    assert set(again.removed.values()) == {0}


def of_the_till(order_id: str, message: str, at: float = NOW) -> Event:
    """Return a refund that the shop tells in its own name."""
    return refund(order_id, Line("p"), at=at, message=message, shopper_id="till", session_id="till")


def test_what_the_shop_told_in_its_own_name_of_giving_back_her_order_goes_with_the_order(record: Record) -> None:
    record.store(*of_anna(0), *of_others(0), of_the_till("anna-0", "a"), of_the_till("berta-0", "b"))
    record.flush()
    record.store(of_the_till("anna-too-0", "c"), of_the_till("berta-0", "d"))  # these still wait in the database
    part = erase(record)
    assert (part.removed["refunds"], part.removed["events in files"]) == (3, 12)
    assert part.removed["events in the database"] == 1
    assert [row["message_id"] for row in record.rows(tables.refunds)] == ["b", "b5-0", "d"]
    assert [row["message_id"] for row in record.rows(tables.refund_lines)] == ["b", "b5-0", "d"]
    assert ids(record.log()) == sorted([*messages_of_others(), "b", "d"])
    record.compact()
    for order_id in (b"anna-0", b"anna-too-0"):
        assert order_id not in content_of(record)


def test_what_the_shop_tells_later_of_giving_back_her_order_is_written_nowhere(record: Record) -> None:
    record.store(*of_anna(0), *of_others(0))
    erase(record)
    late = [of_the_till("anna-0", "a"), of_the_till("anna-too-0", "b", at=WISH + DAY), of_the_till("berta-0", "c")]
    drain(record, MemoryBroker(late))
    assert ids(record.log()) == sorted([*messages_of_others(), "c"])
    assert [row["message_id"] for row in record.rows(tables.refunds)] == ["b5-0", "c"]


def test_files_without_the_person_are_not_touched(record: Record) -> None:
    record.store(*of_others(0))
    record.flush()
    record.store(*of_anna(1))
    record.flush()
    (kept,) = record.folder.glob(f"day={TODAY}/*")
    before = kept.stat()
    erase(record)
    assert record.files() == [kept]  # what held nobody else is gone as a whole
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_delivered_late_is_acknowledged_and_written_nowhere(record: Record) -> None:
    erase(record)
    after = order("new", at=WISH + 1, message="new", shopper_id="anna-account")
    broker = MemoryBroker([*of_anna(0), *of_others(0), after])
    drain(record, broker)
    assert broker.buried == []
    assert [row["order_id"] for row in record.rows(tables.orders)] == ["berta-0", "new"]
    assert ids(record.log()) == sorted([*messages_of_others(), "new"])


def test_a_wish_from_before_there_was_a_record_holds(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    write_json(settings.work.suppressed, {digest("anna-account"): WISH})
    record = Record(tmp_path)
    drain(record, MemoryBroker([order("anna", shopper_id="anna-account"), order("berta", message="b")]))
    assert [row["order_id"] for row in record.rows(tables.orders)] == ["berta"]
    record.engine.dispose()


def test_a_flush_writes_nobody_who_is_on_the_list(record: Record) -> None:
    record.store(*of_anna(0), *of_others(0))
    with record.engine.begin() as connection:
        suppress(connection, {digest("anna-account"): WISH, digest("anna-visit"): WISH})
    record.flush()
    a7, a9 = message_id("a7-0"), message_id("a9-0")  # these name her by the other ids alone
    assert ids(record.log()) == sorted(["a2-0", *messages_of_others(), a7, a9])
    with record.engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(tables.log_tail)).scalar_one() == 0


def test_the_list_is_complete_before_anything_that_is_being_written_is_committed(record: Record) -> None:
    """The eraser waits for a writer that has not seen the wish, and then erases what it wrote."""
    begun, go_on = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with record.engine.begin() as connection:
            kept = without_suppressed(connection, [order("anna", shopper_id="anna-account")])
            begun.set()
            go_on.wait(10)
            store(connection, families_of(kept, NOW))

    writer = threading.Thread(target=slow_writer)
    writer.start()
    begun.wait(10)
    eraser = threading.Thread(target=erase, args=(record,))
    eraser.start()
    eraser.join(0.5)
    assert eraser.is_alive()
    go_on.set()
    writer.join()
    eraser.join()
    assert record.rows(tables.orders) == []


def test_readers_see_each_other_event_exactly_once_while_a_person_is_erased(tmp_path: Path) -> None:
    record = Record(tmp_path)
    for number in range(30):
        record.store(
            received(f"m{number:02d}"),
            seen("Product Added", Line("p"), message=f"x{number}", shopper_id=f"anna-{number % 5}"),
        )
        record.flush()
    others = [f"m{number:02d}" for number in range(30)]
    done = threading.Event()

    def churn() -> None:
        for number in range(5):
            erase_from_log(record.folder, [f"anna-{number}"])
        done.set()

    worker = threading.Thread(target=churn)
    worker.start()
    while not done.is_set():
        found = ids(record.log())
        assert [name for name in found if name.startswith("m")] == others
        assert len(found) == len(set(found))
    worker.join()
    assert ids(record.log()) == others
    record.engine.dispose()


def test_killed_at_any_step_of_erasing_no_other_event_is_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_after(steps: int, folder: Path) -> bool:
        with monkeypatch.context() as patch:
            die_after(patch, steps, *FILE_STEPS)
            try:
                erase_from_log(folder, ["anna"])
            except KeyboardInterrupt:
                return True
            return False

    for last in range(40):
        folder = tmp_path / str(last)
        for name in "ab":
            parquet.write_part(folder, TODAY, [parquet.as_table([received(name), of_session(f"x{name}", "anna")])])
        write(folder, "c")
        killed = killed_after(last, folder)
        assert [name for name in ids(parquet.read_day(folder, TODAY)) if name in "abc"] == ["a", "b", "c"]
        erase_from_log(folder, ["anna"])
        assert ids(parquet.read_day(folder, TODAY)) == ["a", "b", "c"]
        files = list(folder.glob("day=*/part-*"))
        assert sum(len(pq.ParquetFile(path).read()) for path in files) == 3
        if not killed:
            return
    pytest.fail("erasing has more steps than were tried")


def of_session(message: str, session: str) -> Event:
    return _received(received(message), session)


def test_what_a_killed_process_left_half_written_goes_too(record: Record) -> None:
    record.store(*of_others(0))
    record.flush()
    partial = record.files()[0].with_name(".part-1.parquet.partial")
    partial.write_bytes(b"anna-account")
    erase(record)
    assert not partial.exists()


def test_rewritten_files_are_compacted_like_others(record: Record) -> None:
    for number in range(3):
        record.store(*of_anna(0)[:1], received(f"m{number}"))
        record.flush()
    erase(record)
    record.compact()
    assert len(record.files()) == 1
    assert ids(record.log()) == ["m0", "m1", "m2"]


def test_a_reader_that_keeps_the_old_bytes_is_told_in_the_receipt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(tmp_path)
    record.store(*of_anna(0))
    reader = open_database(record.settings, write=False)
    original = forgetting.open_database

    def impatient(settings: Settings, *, write: bool) -> Engine:
        engine = original(settings, write=write)
        listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=100"))
        return engine

    monkeypatch.setattr(forgetting, "open_database", impatient)
    with reader.begin() as connection:
        connection.execute(select(tables.orders)).all()
        assert erase(record).left == LOG_IN_USE
    assert erase(record).left is None
    reader.dispose()
    record.engine.dispose()


def test_a_database_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:secret@127.0.0.1:1/shop"
    settings = load_settings(home=tmp_path, record={"database_url": url})
    with pytest.raises(PartError, match="does not answer") as refused:
        asyncio.run(RecordEraser(settings).erase(PERSON, WISH))
    assert "secret" not in str(refused.value)


def test_a_broken_file_is_named_and_the_links_stay_for_the_next_try(record: Record) -> None:
    record.store(*of_anna(0), *of_others(0))
    record.flush()
    path = record.files()[0]
    whole = path.read_bytes()
    path.write_bytes(b"no parquet")
    with pytest.raises(PartError, match=path.name):
        erase(record)
    assert ids_of_person(record.settings, ["anna-before"]) == {"anna-before", "anna-account", "anna-cookie"}
    path.write_bytes(whole)
    erase(record)
    assert_free_of_her(record)


def test_a_wish_that_failed_leaves_nothing_that_the_recorder_could_write(record: Record) -> None:
    record.store(*of_others(0))
    record.flush()
    record.files()[0].write_bytes(b"no parquet")
    with pytest.raises(PartError):
        erase(record)
    record.store(*of_anna(1))
    assert "anna-1" not in [row["order_id"] for row in record.rows(tables.orders)]


def test_the_record_knows_who_is_one_person(record: Record) -> None:
    assert ids_of_person(record.settings, ["x"]) == {"x"}
    record.store(*of_anna(0))
    assert ids_of_person(record.settings, ["anna-cookie"]) == {"anna-cookie", "anna-account", "anna-before"}
    orders, _ = read_orders(record.settings)
    assert len(orders) == 2


def test_without_a_log_there_is_nothing_to_read(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    part = asyncio.run(RecordEraser(settings).erase(PERSON, WISH))
    assert set(part.removed.values()) == {0}
    engine = open_database(settings, write=False)
    assert len(read_log(engine, log_folder(settings))) == 0
    engine.dispose()
