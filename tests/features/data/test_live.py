"""What was collected today is in tonight's training: live orders pass the door with the shop's own tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from segment.analytics.client import Client

from configs.settings import RedisSettings, Settings
from events.brokers import connect
from events.contract import Event, Line
from events.record.database import open_database
from events.record.writer import Writer
from features.data.fingerprint import source_fingerprint
from tests.events.builders import alias, identify
from tests.events.record.support import Record, order
from tests.features.data.shop import Shop, product
from tests.support.collecting import collecting

AT = pd.Timestamp("2024-06-01T12:00:00Z")


@pytest.fixture
def live_shop(shop: Shop) -> Shop:
    """A tiny shop whose clock is live."""
    shop.mapping["clock"] = "live"
    shop.write()
    return shop


@pytest.fixture
def record(live_shop: Shop) -> Iterator[Record]:
    """Its system of record, empty."""
    opened = Record(live_shop.settings.home)
    yield opened
    opened.engine.dispose()


def sold(order_id: str, *lines: Line, **changes: object) -> Event:
    return order(order_id, *lines, at=AT.timestamp(), message=order_id, **changes)


def test_a_collected_order_is_among_the_shop_s_own(live_shop: Shop, record: Record) -> None:
    record.store(sold("live", Line("p01", 3.0, 1.25, 0.5), shopper_id="m9"))
    report = live_shop.ingest()
    orders, lines = live_shop.table("orders"), live_shop.table("order_lines")
    assert len(orders) == 61
    assert orders[orders["order_id"] == "live"].values.tolist() == [["live", "m9", AT, "web"]]
    assert lines[lines["order_id"] == "live"].values.tolist() == [["live", "p01", 3.0, 1.25, 0.5]]
    assert "orders: 1 rows taken in from the system of record" in report.notes
    assert report.metrics["last_order_at"] == AT.isoformat()


def test_what_a_client_sends_today_is_in_tonight_s_tables(live_shop: Shop, redis_url: str) -> None:
    settings = live_shop.settings.model_copy(update={"redis": RedisSettings(url=redis_url, port=1)})
    with collecting(settings) as collector:
        client = Client("key", host=collector.url, gzip=True, max_retries=0)
        bought = {"item_id": "p01", "price": 2.0, "quantity": 2, "discount": 0.25}
        for _ in range(2):  # a page that is loaded again
            client.track(anonymous_id="visitor", event="purchase", properties={"transaction_id": 7, "items": [bought]})
        client.join()
    asyncio.run(recorded(settings, 2))
    live_shop.ingest()
    orders, lines = live_shop.table("orders"), live_shop.table("order_lines")
    assert orders.loc[orders["order_id"] == "7", "shopper_id"].tolist() == ["anonymous:visitor"]
    assert lines[lines["order_id"] == "7"].values.tolist() == [["7", "p01", 2.0, 2.0, 0.5]]


async def recorded(settings: Settings, count: int) -> None:
    """Let a writer work until it has written so many deliveries."""
    broker, engine = connect(settings, settings.events.record_group), open_database(settings, write=True)
    writer = Writer(settings, broker, engine)
    while writer.stored < count:
        await writer.step()
    await broker.close()
    engine.dispose()


def test_an_order_that_the_shop_exports_too_is_taken_from_its_export(live_shop: Shop, record: Record) -> None:
    live_shop.ingest()
    before = [live_shop.table(name) for name in ("orders", "order_lines")]
    record.store(sold("o05", Line("p39", 9.0)))
    live_shop.ingest()
    for name, table in zip(("orders", "order_lines"), before, strict=True):
        pd.testing.assert_frame_equal(live_shop.table(name), table)


def test_an_order_of_nobody_in_particular_has_a_shopper_of_its_own(live_shop: Shop, record: Record) -> None:
    nobody = {"shopper_id": None}
    record.store(
        sold("a", Line("p01", price=1.0), **nobody),
        sold("b", Line("p01", price=1.0), **nobody, anonymous_id=None),
    )
    live_shop.ingest()
    orders = live_shop.table("orders").set_index("order_id")["shopper_id"]
    assert (orders["a"], orders["b"]) == ("anonymous:a1", "anonymous:s1")


def test_an_order_counts_for_whom_its_anonymous_id_turned_out_to_be(live_shop: Shop, record: Record) -> None:
    at, nobody = AT.timestamp(), {"shopper_id": None}
    before = identify("early", "m9", at=at - 5, message="1")
    record.store(
        before,
        sold("a", Line("p01", price=1.0), **nobody, anonymous_id="early"),
        sold("b", Line("p01", price=1.0), **nobody, anonymous_id="late"),
        sold("c", Line("p01", price=1.0), **nobody, anonymous_id="app"),
        sold("d", Line("p01", price=1.0), **nobody, anonymous_id="kiosk"),
        *(identify("kiosk", f"m{number}", at=at, message=f"k{number}") for number in range(4)),
    )
    found = [source_fingerprint(live_shop.settings)]
    record.store(identify("late", "m8", at=at + 9, message="2"), alias("app", "m7", at=at + 9, message="3"))
    found.append(source_fingerprint(live_shop.settings))
    record.store(before, identify("late", "m8", at=at + 99, message="4"))  # nothing new
    found.append(source_fingerprint(live_shop.settings))
    assert found[0] != found[1] == found[2]
    live_shop.ingest()
    orders = live_shop.table("orders").set_index("order_id")["shopper_id"]
    assert orders[["a", "b", "c", "d"]].tolist() == ["m9", "m8", "m7", "anonymous:kiosk"]


def test_a_price_that_was_not_told_is_the_catalogue_s(live_shop: Shop, record: Record) -> None:
    live_shop.products.append(product("unpriced", price=None))
    record.store(sold("live", Line("p01"), Line("unpriced"), Line("p02", price=0.75)))
    live_shop.ingest()
    lines = live_shop.table("order_lines")
    prices = lines[lines["order_id"] == "live"].set_index("product_id")["unit_price"]
    assert prices.to_dict() == {"p01": 2.5, "p02": 0.75}
    assert list(live_shop.quarantine("order_lines")["reason"]) == ["unit_price is missing or no number"]


def test_bad_live_orders_are_quarantined_and_stop_nothing(live_shop: Shop, record: Record) -> None:
    record.store(*(sold(f"bad{number}", Line("nowhere", price=1.0), Line("p01", 0.0, 1.0)) for number in range(200)))
    report = live_shop.ingest()
    assert len(live_shop.table("orders")) == 60
    assert len(live_shop.quarantine("order_lines")) == 400
    assert report.rejected["order_lines: product_id is not in products (or was rejected there)"] == 200


def test_beside_historical_data_what_is_collected_is_a_rehearsal(shop: Shop) -> None:
    shop.write()
    record = Record(shop.settings.home)
    before = source_fingerprint(shop.settings)
    record.store(sold("live", Line("p01", price=1.0)))
    assert source_fingerprint(shop.settings) == before
    shop.ingest()
    assert len(shop.table("orders")) == 60
    record.engine.dispose()


def test_a_new_order_makes_the_stage_stale(live_shop: Shop, record: Record) -> None:
    found = [source_fingerprint(live_shop.settings)]
    record.store(sold("a"))
    found += [source_fingerprint(live_shop.settings), source_fingerprint(live_shop.settings)]
    record.store(sold("b"))
    found.append(source_fingerprint(live_shop.settings))
    assert found[1] == found[2]
    assert len(set(found)) == 3


def test_without_a_record_none_is_made(live_shop: Shop, tmp_path: Path) -> None:
    live_shop.ingest()
    assert not live_shop.settings.work.record.exists()
