"""The synthetic shop through the door: what was planted is what is found."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from configs.settings import load_settings
from configs.stage import SilentProgress, StageReport
from features.data.ingest import ingest
from tests.datasets.make_corner_shop import main

HERE = Path(__file__).parent
PLANTED = json.loads((HERE / "corner_shop" / "planted.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder of its own."""
    return tmp_path_factory.mktemp("corner_shop")


@pytest.fixture(scope="module")
def report(home: Path) -> StageReport:
    """The report of ingesting the shop into `home`."""
    return ingest(load_settings(dataset=str(HERE / "corner_shop.yaml"), home=home), SilentProgress())


def test_the_generator_writes_the_files_that_are_checked_in(tmp_path: Path) -> None:
    main(tmp_path)

    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in (HERE / "corner_shop").iterdir()}
    assert sum(map(len, written.values())) < 600_000


def test_every_row_of_the_files_is_read(report: StageReport) -> None:
    assert report.read == {
        "products": PLANTED["articles"]["rows"],
        "orders": PLANTED["tickets"]["rows"],
        "order_lines": PLANTED["ticket_lines"]["rows"],
        "shoppers": PLANTED["members"]["rows"],
    }


def test_the_good_rows_are_written(report: StageReport) -> None:
    assert report.wrote == {
        "products": PLANTED["articles"]["good"],
        "orders": PLANTED["tickets"]["good"],
        "order_lines": PLANTED["ticket_lines"]["good"],
        "shoppers": PLANTED["members"]["good"],
    }


def test_each_planted_fault_is_quarantined_with_its_reason(report: StageReport) -> None:
    articles, tickets, lines = PLANTED["articles"], PLANTED["tickets"], PLANTED["ticket_lines"]
    assert lines["bad_price"] == 2
    assert report.rejected == {
        "products: product_id is missing": articles["without_sku"],
        "products: price is below 0": articles["negative_price"],
        "orders: shopper_id is missing": tickets["without_member"],
        "orders: placed_at is missing or no readable timestamp": tickets["unreadable_time"],
        "orders: placed_at is before 1990 or in the future": tickets["absurd_time"],
        "order_lines: order_id is not in orders (or was rejected there)": lines["of_unknown_ticket"],
        "order_lines: product_id is not in products (or was rejected there)": lines["of_unknown_article"],
        "order_lines: product_id is missing": lines["without_sku"],
        "order_lines: quantity is not above 0": lines["bad_quantity"],
        "order_lines: unit_price is missing or no number": 1,
        "order_lines: unit_price is below 0": 1,
    }


def test_what_is_excluded_and_repaired_is_said(report: StageReport) -> None:
    articles, lines = PLANTED["articles"], PLANTED["ticket_lines"]
    assert report.notes == [
        f"products: {articles['excluded']} rows excluded, as the mapping declares",
        f"order_lines: {lines['excluded']} rows excluded, as the mapping declares",
        "products: 4 missing brand filled",
        "order_lines: 10 ids trimmed of spaces",
        f"order_lines: {lines['merged_away']} lines merged into another of the same order and product",
        f"shoppers: {PLANTED['members']['repeated']} repeated rows dropped",
    ]


def test_local_times_of_winter_and_summer_become_utc(report: StageReport, home: Path) -> None:
    source = pd.read_csv(HERE / "corner_shop" / "tickets.csv", dtype=str).set_index("ticket")["sold_at"]
    orders = pd.read_parquet(home / "data" / "orders.parquet").set_index("order_id")["placed_at"]

    for ticket, offset in ((orders.index[0], "+01:00"), (orders.index[-1], "+02:00")):
        assert source[ticket].endswith(offset)
        assert orders[ticket] == pd.Timestamp(source[ticket])
    assert orders.is_monotonic_increasing


def test_money_is_what_the_till_took(report: StageReport, home: Path) -> None:
    lines = pd.read_parquet(home / "data" / "order_lines.parquet").set_index(["order_id", "product_id"])
    source = pd.read_csv(HERE / "corner_shop" / "ticket_lines.csv", dtype=str)
    source = source.assign(sku=source["sku"].str.strip(), paid=source["paid"].astype(float))
    taken = source.groupby(["ticket", "sku"])["paid"].sum()

    assert lines.index.is_unique
    paid = lines["quantity"] * lines["unit_price"]
    assert (paid - taken.reindex(lines.index)).abs().max() < 1e-9


def test_ids_keep_their_leading_zeros_and_stock_its_meaning(report: StageReport, home: Path) -> None:
    products = pd.read_parquet(home / "data" / "products.parquet").set_index("product_id")

    assert products.loc["0007", ["title", "category", "brand", "price"]].tolist() == [
        "Bread by Corner",
        "Bakery > Bread",
        "Corner",
        2.24,
    ]
    assert sorted(products.index[~products["in_stock"]]) == ["0021", "0066", "0111"]
    assert products.index[products["price"].isna()].tolist() == ["8001"]  # never sold, no list price
