"""What is stored in SQL, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from configs import load_settings
from configs.errors import ConfigError
from events.contract import Line
from events.exposure import Shown
from events.record import tables
from events.record.database import database_url, migrate, open_database
from tests.events.builders import NOW, event
from tests.events.record.support import Record, exposed, order, refund, seen


def test_an_order_and_its_lines_are_stored(record: Record) -> None:
    record.store(order("o1", Line("p1", 2.0, 1.5, 0.5), Line("p2")))
    assert [{name: row[name] for name in row if name != "mark"} for row in record.rows(tables.orders)] == [
        {
            "order_id": "o1",
            "message_id": "m",
            "placed_at": NOW,
            "received_at": NOW,
            "session_id": "s1",
            "shopper_id": "u1",
            "anonymous_id": "a1",
            "channel": "web",
            "value": 3.0,
            "discount": 0.5,
            "currency": "EUR",
            "coupon": None,
        }
    ]
    assert [tuple(row.values()) for row in record.rows(tables.order_lines)] == [
        ("o1", 0, "p1", 2.0, 1.5, 0.5),
        ("o1", 1, "p2", 1.0, None, 0.0),
    ]


def test_the_first_telling_of_an_order_stays_whatever_comes_in_which_order(record: Record) -> None:
    first = order("o1", Line("p1"), at=NOW, message="z")
    reloaded = order("o1", Line("p1"), Line("p2"), at=NOW + 900, message="a")
    record.store(reloaded)
    record.store(first)
    record.store(reloaded, first, reloaded)
    assert [(row["message_id"], row["placed_at"]) for row in record.rows(tables.orders)] == [("z", NOW)]
    assert [row["product_id"] for row in record.rows(tables.order_lines)] == ["p1"]


def test_what_is_given_back_is_stored_once_beside_the_order(record: Record) -> None:
    part, whole = refund("o1", Line("p2", 0.5), at=NOW + 5, message="1"), refund("o1", at=NOW + 9, message="2")
    record.store(order("o1", Line("p1"), Line("p2")), part, whole, part)
    record.store(part)
    assert [{name: row[name] for name in row if name != "mark"} for row in record.rows(tables.refunds)] == [
        {
            "message_id": message,
            "order_id": "o1",
            "at": at,
            "received_at": at,
            "session_id": "u1",
            "shopper_id": "u1",
            "anonymous_id": None,
            "value": 3.0,
            "currency": "EUR",
        }
        for message, at in (("1", NOW + 5), ("2", NOW + 9))
    ]
    assert [tuple(row.values()) for row in record.rows(tables.refund_lines)] == [("1", 0, "p2", 0.5)]
    assert [row["order_id"] for row in record.rows(tables.orders)] == ["o1"]


def test_impressions_clicks_and_adds_are_outcomes(record: Record) -> None:
    record.store(
        seen("Product List Viewed", Line("p1", position=1), Line("p2", position=2), message="1"),
        seen("Product Clicked", Line("p2", position=2), message="2"),
        seen("Product Added", Line("p2", 3.0, 1.5), message="3", request_id=None),
        seen("Product Viewed", Line("p2"), message="4"),
    )
    assert [
        (row["message_id"], row["kind"], row["request_id"], row["list_id"]) for row in record.rows(tables.outcomes)
    ] == [
        ("1", "impression", "r1", "block"),
        ("2", "click", "r1", "block"),
        ("3", "add", None, "block"),
    ]
    assert [tuple(row.values()) for row in record.rows(tables.outcome_lines)] == [
        ("1", 0, "p1", 1.0, None, 1),
        ("1", 1, "p2", 1.0, None, 2),
        ("2", 0, "p2", 1.0, None, 2),
        ("3", 0, "p2", 3.0, 1.5, None),
    ]


def test_an_exposure_and_its_lines_are_stored_once(record: Record) -> None:
    record.store(exposed("r1", session_id="s1", shopper_id="u1", unit="visit"))
    record.store(exposed("r1", session_id="s1", shopper_id="u1", unit="visit"), exposed("r2", Shown("p9", -1.5)))
    first, second = record.rows(tables.exposures)
    assert {name: first[name] for name in first if name != "mark"} == {
        "request_id": "r1",
        "at": NOW,
        "session_id": "s1",
        "shopper_id": "u1",
        "anonymous_id": None,
        "unit": "visit",
        "experiment": "winter",
        "experiment_arm": "value",
        "ranking_arm": "value",
        "model_version": "0123456789ab",
        "rules_version": None,
        "fallback": None,
        "checkout_step": 3,
        "cart_size": 2,
        "latency_ms": 2.5,
        "explored": True,
        "shadow": '{"neural":["p2","p1"]}',
        "shadow_ms": '{"neural":1.5}',
    }
    assert second["session_id"] is None  # the request named none
    assert [tuple(row.values()) for row in record.rows(tables.exposure_lines)] == [
        ("r1", 0, "p1", 0.5, 1.0, 2.5, 1.25),
        ("r1", 1, "p2", 0.25, 0.1, None, None),
        ("r2", 0, "p9", -1.5, None, None, None),
    ]


def test_any_letter_is_kept_and_compared_alike_on_every_database(record: Record) -> None:
    ids = ["ä", "Z", "a", "🛒", "продукт", "'; drop table orders; --", "\x7f"]
    record.store(*(order(name, message=name) for name in ids))
    assert [row["order_id"] for row in record.rows(tables.orders)] == sorted(ids)


def test_many_rows_at_a_time_are_stored(record: Record) -> None:
    record.store(*(order(f"o{n:05d}", *(Line(f"p{i}") for i in range(3)), message=f"m{n}") for n in range(5_000)))
    assert len(record.rows(tables.orders)) == 5_000
    assert len(record.rows(tables.order_lines)) == 15_000


def test_the_migrations_make_exactly_the_tables(record: Record) -> None:
    migrate(record.engine)  # again: changes nothing
    with record.engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_processes_that_migrate_at_once_wait_for_each_other(new_record: object, request: pytest.FixtureRequest) -> None:
    record = request.getfixturevalue("record")
    with record.engine.begin() as connection:
        tables.metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    engines = [open_database(record.settings, write=True) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, engines))
    for engine in engines:
        engine.dispose()
    record.store(order())
    assert len(record.rows(tables.orders)) == 1


def test_writers_at_once_do_not_block_each_other(record: Record) -> None:
    events = [event("Product Added", "p", message=f"m{n}") for n in range(300)]
    batches = [events, events[::-1], events[100:] + events[:100]]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda batch: record.store(*batch), batches))
    assert len(record.rows(tables.outcomes)) == 300


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:secret@h/d", "postgresql://u:secret@h/d"])
def test_another_database_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"postgresql\+psycopg://") as refused:
        database_url(load_settings(record={"database_url": url}))
    assert "secret" not in str(refused.value)
    assert "secret" not in repr(load_settings(record={"database_url": url}))
