"""The event log: few files, each event once, and never a moment at which a reader sees it twice or not at all."""

from __future__ import annotations

import fcntl
import os
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from configs.errors import DataError
from events.contract import Event, Line, OrderFacts
from events.record import log
from events.record.log import compact, is_due
from events.record.parquet import as_table, live_files, once, read_day, write_part
from tests.events.builders import NOW, event
from tests.events.record.support import FILE_STEPS, LATER, TODAY, Record, die_after, exposed, ids, received, write


def test_an_event_is_kept_whole(record: Record) -> None:
    told = Event(
        "m",
        "identify",
        "identify",
        "s",
        "u",
        NOW + 0.25,
        (Line("p", 2.0, 1.5, 0.5, 3),),
        2,
        {"device": "ios"},
        "a",
        "before",
        NOW + 1,
        OrderFacts("o", 3.0, 0.5, "EUR", "c"),
        "r",
        "l",
        {"plan": "gold"},
    )
    record.store(told)
    record.flush()
    (row,) = record.log().to_pylist()
    assert row.pop("mark")
    assert row == {
        "message_id": "m",
        "kind": "identify",
        "name": "identify",
        "occurred_at": datetime.fromtimestamp(NOW + 0.25, UTC),
        "received_at": datetime.fromtimestamp(NOW + 1, UTC),
        "session_id": "s",
        "shopper_id": "u",
        "anonymous_id": "a",
        "previous_id": "before",
        "lines": [{"product_id": "p", "quantity": 2.0, "price": 1.5, "discount": 0.5, "position": 3}],
        "order": {"order_id": "o", "value": 3.0, "discount": 0.5, "currency": "EUR", "coupon": "c"},
        "checkout_step": 2,
        "request_id": "r",
        "list_id": "l",
        "context": [("device", "ios")],
        "traits": [("plan", "gold")],
        "unit": None,
        "exposure": None,
        "shadow_ms": None,
    }


def test_an_exposure_is_kept_whole(record: Record) -> None:
    told = exposed("r1", unit="u", session_id="s")
    record.store(told, told)
    record.flush()
    (row,) = record.log().to_pylist()
    assert told.exposure is not None
    assert (row["message_id"], row["kind"], row["unit"]) == ("tillwise:r1", "exposure", "u")
    fields = {name: getattr(told.exposure, name) for name in told.exposure.__struct_fields__}
    assert fields.pop("unit") == "u"
    assert dict(row["shadow_ms"]) == fields.pop("shadow_ms") == {"neural": 1.5}
    assert row["exposure"] == fields | {
        "cart": ["p8", "p9"],
        "lines": [
            {"product_id": "p1", "score": 0.5, "propensity": 1.0, "price": 2.5, "worth": 1.25},
            {"product_id": "p2", "score": 0.25, "propensity": 0.1, "price": None, "worth": None},
        ],
        "pool": [{"product_id": "p3", "score": 0.125}],
        "shadow": [("neural", ["p2", "p1"])],
    }


def test_many_deliveries_make_one_file_a_day_of_receipt(record: Record) -> None:
    for number in range(20):
        record.store(received(f"m{number}", day=number % 2))
    assert record.files() == []
    assert len(record.log()) == 20
    assert record.flush() == 20
    days = [path.parent.name for path in record.files()]
    assert days == [f"day={TODAY}", f"day={date.fromordinal(TODAY.toordinal() + 1)}"]
    assert ids(record.log()) == sorted(f"m{number}" for number in range(20))
    assert record.flush() == 0


def test_the_tail_becomes_a_file_when_it_is_long_or_old(tmp_path: Path) -> None:
    record = Record(tmp_path, flush_events=3, flush_seconds=60)
    assert not is_due(record.engine, record.settings, NOW + 1e6)
    record.store(received("a"), received("b"))
    assert not is_due(record.engine, record.settings, NOW + 59)
    assert is_due(record.engine, record.settings, NOW + 60)
    record.store(received("c"))
    assert is_due(record.engine, record.settings, NOW)
    record.engine.dispose()


def test_a_crash_between_file_and_tail_counts_once(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: object) -> Path:
        write_part(*arguments)  # type: ignore[arg-type] # passed on as they came
        raise KeyboardInterrupt

    record.store(received("a"), received("b"))
    with monkeypatch.context() as patch:
        patch.setattr(log, "write_part", killed)
        with pytest.raises(KeyboardInterrupt):
            record.flush()
    assert len(record.files()) == 1
    assert ids(record.log()) == ["a", "b"]
    record.flush()
    record.compact()
    assert len(record.files()) == 1
    assert ids(read_day(record.folder, TODAY)) == ["a", "b"]


def test_compaction_makes_one_file_with_each_event_once(tmp_path: Path) -> None:
    write(tmp_path, "b", "a")
    write(tmp_path, "c", "b")
    write(tmp_path, "a")
    assert compact(tmp_path, LATER) == {TODAY: 3}
    (path,) = tmp_path.glob("day=*/*")
    assert ids(pq.ParquetFile(path).read()) == ids(read_day(tmp_path, TODAY)) == ["a", "b", "c"]
    assert compact(tmp_path, LATER) == {}
    write(tmp_path, "late", "a")
    assert compact(tmp_path, LATER) == {TODAY: 2}
    assert ids(read_day(tmp_path, TODAY)) == ["a", "b", "c", "late"]


def test_a_day_that_is_not_over_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b")
    midnight = datetime.combine(date.fromordinal(TODAY.toordinal() + 1), datetime.min.time(), UTC).timestamp()
    assert compact(tmp_path, midnight + 3_599) == {}
    assert compact(tmp_path, midnight + 3_600) == {TODAY: 2}


def test_of_two_tellings_with_one_id_the_earlier_stays_whatever_their_order() -> None:
    early, late = received("m", at=NOW - 5), received("m", at=NOW)
    assert once(as_table([early, late])).equals(once(as_table([late, early, late])))
    assert once(as_table([late, early]))["occurred_at"].to_pylist() == [datetime.fromtimestamp(NOW - 5, UTC)]


def test_killed_at_any_step_of_a_compaction_readers_see_each_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file operation is made the last one in turn; a further compaction then tidies up."""
    for last in range(40):
        folder = tmp_path / str(last)
        for name in "abc":
            write(folder, name)
        with monkeypatch.context() as patch:
            finished = _killed_after(last, patch, folder)
        assert ids(read_day(folder, TODAY)) == ["a", "b", "c"]
        write(folder, "d")
        with monkeypatch.context() as patch:
            _killed_after(last, patch, folder)
        assert ids(read_day(folder, TODAY)) == ["a", "b", "c", "d"]
        compact(folder, LATER)
        for partial in folder.glob("day=*/.*"):
            os.utime(partial, (NOW, NOW))
        compact(folder, LATER)
        assert len(list(folder.glob("day=*/*"))) == 1
        assert ids(read_day(folder, TODAY)) == ["a", "b", "c", "d"]
        if finished:
            return
    pytest.fail("a compaction has more steps than were tried")


def _killed_after(steps: int, patch: pytest.MonkeyPatch, folder: Path) -> bool:
    """Compact, but be killed after so many file operations; return whether it finished."""
    die_after(patch, steps, (log, "write_part"), *FILE_STEPS)
    try:
        compact(folder, LATER)
    except KeyboardInterrupt:
        return False
    return True


def test_readers_during_compactions_see_each_event_exactly_once(tmp_path: Path) -> None:
    stop = threading.Event()
    written = ["m000"]
    write(tmp_path, "m000")

    def churn() -> None:
        for number in range(1, 60):
            write(tmp_path, f"m{number:03d}")
            written.append(f"m{number:03d}")
            if number % 3 == 0:
                compact(tmp_path, LATER)
        stop.set()

    worker = threading.Thread(target=churn)
    worker.start()
    while not stop.is_set():
        before = list(written)
        found = ids(read_day(tmp_path, TODAY))
        assert len(found) == len(set(found))
        assert set(before) <= set(found)
    worker.join()
    assert len(live_files(tmp_path / f"day={TODAY}")) <= 3


def test_a_second_compaction_at_the_same_time_does_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b")
    with (tmp_path / ".compacting").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert compact(tmp_path, LATER) == {}
    assert compact(tmp_path, LATER) == {TODAY: 2}


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a")
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match=path.name):
        read_day(tmp_path, TODAY)


def test_an_empty_log_has_no_rows(record: Record) -> None:
    assert compact(record.folder, LATER) == {}
    assert len(record.log()) == 0
    record.store(event("Product Added", "p"))
    assert ids(record.log()) == ["m"]
