"""Which rows pass the door, which are quarantined, and with which reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from configs.errors import DataError
from tests.features.data.shop import Shop, line, order, product


def test_a_good_shop_passes_whole(shop: Shop) -> None:
    report = shop.ingest()

    assert report.wrote == {"products": 40, "orders": 60, "order_lines": 120}
    assert report.rejected == {}
    assert report.notes == []


@pytest.mark.parametrize(
    ("table", "row", "column", "reason"),
    [
        ("products", product(None), "product_id", "product_id is missing"),
        ("products", product("x", price=-0.01), "price", "price is below 0"),
        ("products", product("x", price="cheap"), "price", "price is no number"),
        ("products", product("x", available="maybe"), "in_stock", "in_stock is missing or neither yes nor no"),
        ("orders", order(None), "order_id", "order_id is missing"),
        ("orders", order("x", member=None), "shopper_id", "shopper_id is missing"),
        ("orders", order("x", member="  "), "shopper_id", "shopper_id is missing"),
        ("orders", order("x", at="soon"), "placed_at", "placed_at is missing or no readable timestamp"),
        ("orders", order("x", at=None), "placed_at", "placed_at is missing or no readable timestamp"),
        ("orders", order("x", at="1924-01-01T00:00Z"), "placed_at", "placed_at is before 1990 or in the future"),
        ("order_lines", line(None, "p01"), "order_id", "order_id is missing"),
        ("order_lines", line("o01", None), "product_id", "product_id is missing"),
        ("order_lines", line("ghost", "p01"), "order_id", "order_id is not in orders (or was rejected there)"),
        ("order_lines", line("o01", "ghost"), "product_id", "product_id is not in products (or was rejected there)"),
        ("order_lines", line("o01", "p30", pieces=0), "quantity", "quantity is not above 0"),
        ("order_lines", line("o01", "p30", pieces=-2), "quantity", "quantity is not above 0"),
        ("order_lines", line("o01", "p30", pieces="two"), "quantity", "quantity is missing or no number"),
        ("order_lines", line("o01", "p30", each=None), "unit_price", "unit_price is missing or no number"),
        ("order_lines", line("o01", "p30", each="inf"), "unit_price", "unit_price is missing or no number"),
        ("order_lines", line("o01", "p30", each=-1), "unit_price", "unit_price is below 0"),
        ("order_lines", line("o01", "p30", off="some"), "discount", "discount is no number"),
        ("order_lines", line("o01", "p30", off=-1), "discount", "discount is below 0"),
    ],
)
def test_a_row_that_breaks_the_contract_is_quarantined_with_its_reason(
    shop: Shop, table: str, row: dict[str, Any], column: str, reason: str
) -> None:
    good = len(shop.tables[table])
    shop.tables[table].append(row)

    report = shop.ingest("csv")

    assert report.wrote[table] == good
    assert report.rejected == {f"{table}: {reason}": 1}
    [quarantined] = shop.quarantine(table).to_dict("records")
    assert quarantined["reason"] == reason
    assert quarantined["column"] == column
    assert quarantined["expectation"].startswith("expect_column_values_to_")


def test_the_quarantine_shows_a_row_as_it_was_read(shop: Shop) -> None:
    shop.lines.append(line("o01", " 007 ", pieces="1,5", each=None))

    shop.ingest("csv")

    [row] = shop.quarantine("order_lines")["row"]
    assert json.loads(row) == {"ticket": "o01", "sku": " 007 ", "pieces": "1,5", "each": None, "off": "0.0"}


def test_a_row_with_several_faults_is_one_row_that_names_them_all(shop: Shop) -> None:
    shop.lines.append(line("o01", "p30", pieces=0, each=-1))

    report = shop.ingest()

    assert report.rejected == {"order_lines: quantity is not above 0": 1}
    [reason] = shop.quarantine("order_lines")["reason"]
    assert reason == "quantity is not above 0; unit_price is below 0"


def test_the_lines_of_a_quarantined_order_are_quarantined_too(shop: Shop) -> None:
    shop.orders[7]["at"] = "soon"

    report = shop.ingest()

    assert report.rejected == {
        "orders: placed_at is missing or no readable timestamp": 1,
        "order_lines: order_id is not in orders (or was rejected there)": 2,
    }


def test_a_product_id_with_two_meanings_is_quarantined_in_both(shop: Shop) -> None:
    shop.products += [product("twice", price=1.0), product("twice", price=2.0)]

    report = shop.ingest()

    assert report.rejected == {"products: product_id occurs more than once, with different contents": 2}
    assert "twice" not in set(shop.table("products")["product_id"])


def test_an_order_of_the_future_is_refused_but_a_clock_may_run_ahead_a_little(shop: Shop) -> None:
    now = datetime.now(UTC)
    shop.orders[0]["at"] = (now + timedelta(hours=12)).isoformat()
    shop.orders[1]["at"] = (now + timedelta(days=3)).isoformat()

    shop.ingest()

    assert list(shop.quarantine("orders")["reason"]) == ["placed_at is before 1990 or in the future"]
    assert "o00" in set(shop.table("orders")["order_id"])


def test_too_many_bad_rows_stop_the_run_with_table_column_expectation_share_and_examples(shop: Shop) -> None:
    for row in shop.lines[:12]:
        row["each"] = -3.5

    with pytest.raises(DataError) as error:
        shop.ingest()

    message = str(error.value)
    for part in (
        "order_lines",
        "12 of 120 rows (10.0%)",
        "max_rejected_share allows 5.0%",
        "column unit_price",
        "expect_column_values_to_be_between",
        "tiny.yaml",
    ):
        assert part in message
    assert message.count('"each": -3.5') == 3


def test_a_stopped_run_leaves_what_an_earlier_one_wrote(shop: Shop) -> None:
    shop.ingest()
    before = {path.name: path.read_bytes() for path in shop.settings.work.data.iterdir() if path.is_file()}
    for row in shop.orders:
        row["member"] = None

    with pytest.raises(DataError):
        shop.ingest()

    after = {path.name: path.read_bytes() for path in shop.settings.work.data.iterdir() if path.is_file()}
    assert after == before
    assert [path.name for path in shop.settings.work.root.iterdir()] == ["data"]


def test_a_table_without_one_good_row_stops_the_run_whatever_share_is_allowed(shop: Shop) -> None:
    shop.max_rejected_share = 1.0
    for row in shop.products:
        row["sku"] = None

    with pytest.raises(DataError, match="40 of 40 rows"):
        shop.ingest()
