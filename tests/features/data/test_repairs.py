"""The documented repairs, and what the mapping leaves out on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from configs.errors import DataError
from tests.features.data.shop import Shop, line, order, product


def test_lines_of_the_same_order_and_product_become_one_and_cost_the_same(shop: Shop) -> None:
    shop.lines += [
        line("o01", "p30", pieces=1, each=4.0, off=0.5),
        line("o01", "p30", pieces=3, each=2.0, off=1.0),
    ]

    report = shop.ingest()

    lines = shop.table("order_lines").set_index(["order_id", "product_id"])
    assert lines.loc[("o01", "p30")].to_dict() == {"quantity": 4.0, "unit_price": 2.5, "discount": 1.5}
    assert lines.index.is_unique
    assert report.notes == ["order_lines: 1 lines merged into another of the same order and product"]


def test_a_returned_piece_is_quarantined_and_not_subtracted(shop: Shop) -> None:
    shop.lines += [line("o01", "p30", pieces=2), line("o01", "p30", pieces=-1)]

    shop.ingest()

    lines = shop.table("order_lines").set_index(["order_id", "product_id"])
    assert lines.loc[("o01", "p30"), "quantity"] == 2.0


def test_repeated_rows_of_products_and_orders_are_dropped_and_counted(shop: Shop) -> None:
    shop.products.append(shop.products[0])
    shop.orders += [shop.orders[0], shop.orders[0]]

    report = shop.ingest()

    assert report.wrote == {"products": 40, "orders": 60, "order_lines": 120}
    assert report.notes == ["products: 1 repeated rows dropped", "orders: 2 repeated rows dropped"]


def test_spaces_around_ids_are_trimmed_and_counted(shop: Shop) -> None:
    shop.lines[0] |= {"ticket": " o00", "sku": "p00\t"}

    report = shop.ingest()

    assert report.wrote["order_lines"] == 120
    assert report.notes == ["order_lines: 2 ids trimmed of spaces"]


def test_missing_discount_brand_channel_and_category_are_filled_and_counted(shop: Shop) -> None:
    shop.lines[0]["off"] = None
    shop.orders[0]["till"] = None
    shop.products[0] |= {"maker": " ", "group": None, "kind": None}

    report = shop.ingest()

    assert set(report.notes) == {
        "products: 1 missing category filled",
        "products: 1 missing brand filled",
        "orders: 1 missing channel filled",
        "order_lines: 1 missing discount filled",
    }
    assert shop.table("products").loc[0, ["category", "brand"]].tolist() == ["", ""]
    assert shop.table("order_lines")["discount"].tolist() == [0.0] * 120


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"name": None}, "Bread"),
        ({"name": "", "kind": None}, "Food"),
        ({"name": None, "group": None, "kind": None}, "p00"),
    ],
)
def test_a_product_without_title_is_called_by_its_category_or_id(
    shop: Shop, changes: dict[str, str | None], title: str
) -> None:
    shop.products[0] |= changes

    shop.ingest()

    assert shop.table("products").loc[0, "title"] == title


def test_a_missing_price_is_the_one_paid_most_recently(shop: Shop) -> None:
    shop.products[0]["price"] = None
    shop.products += [product("new", price=None), product("gift", price=None)]
    shop.orders += [
        order("late", at="2024-06-02T10:00:00+02:00"),
        order("later", at="2024-06-03T10:00:00+02:00"),
        order("last", at="2024-06-04T10:00:00+02:00"),
    ]
    shop.lines += [
        line("later", "p00", each=3.25),
        line("late", "p00", each=9.0),
        line("last", "p00", each=0.0),
        line("last", "gift", each=0.0),
    ]

    report = shop.ingest()

    price = shop.table("products").set_index("product_id")["price"]
    assert price["p00"] == 3.25  # the gift of the last order is no price
    assert np.isnan(price["new"])
    assert np.isnan(price["gift"])
    assert "products: 1 prices taken from the most recent sale" in report.notes


def test_a_given_price_is_kept(shop: Shop) -> None:
    shop.ingest()

    assert set(shop.table("products")["price"]) == {2.5}


def test_orders_without_a_line_left_are_dropped_and_counted(shop: Shop) -> None:
    shop.orders.append(order("empty"))

    report = shop.ingest()

    assert report.wrote["orders"] == 60
    assert report.notes == ["orders: 1 orders dropped, because no line of theirs is left"]


def test_what_drop_where_names_is_excluded_with_its_lines_and_not_called_faulty(shop: Shop) -> None:
    shop.mapping["tables"]["products"]["drop_where"] = {"group": ["Services"]}
    shop.products += [product("bag", group=" Services "), product("stamp", group="Services")]
    shop.lines += [line("o01", "bag"), line("o02", "bag"), line("o03", "stamp", pieces=0)]

    report = shop.ingest()

    assert report.metrics["excluded"] == {"products": 2, "orders": 0, "order_lines": 3}
    assert report.rejected == {}
    assert report.wrote == {"products": 40, "orders": 60, "order_lines": 120}


def test_the_lines_of_excluded_orders_are_excluded_too(shop: Shop) -> None:
    shop.mapping["tables"]["orders"]["drop_where"] = {"till": ["wholesale"]}
    shop.orders[3]["till"] = "wholesale"

    report = shop.ingest()

    assert report.metrics["excluded"] == {"products": 0, "orders": 1, "order_lines": 2}
    assert report.rejected == {}


def test_excluding_everything_is_an_error_that_names_the_key(shop: Shop) -> None:
    shop.mapping["tables"]["products"]["drop_where"] = {"group": ["Food"]}

    with pytest.raises(DataError, match=r"every row is excluded by drop_where in .*tiny\.yaml"):
        shop.ingest()


def test_orders_can_be_read_from_the_lines(shop: Shop) -> None:
    orders = {row["ticket"]: row for row in shop.orders}
    shop.lines = [orders[row["ticket"]] | row for row in shop.lines]
    shop.mapping["tables"]["orders"] |= {"source": {"path": "order_lines.parquet"}, "distinct": True}

    report = shop.ingest()

    assert report.wrote == {"products": 40, "orders": 60, "order_lines": 120}
    assert report.read["orders"] == 120
    assert report.notes == []


def test_distinct_orders_are_excluded_by_a_column_that_is_not_mapped(shop: Shop) -> None:
    shop.mapping["tables"]["orders"] |= {"distinct": True, "drop_where": {"kind": ["return"]}}
    shop.orders = [row | {"kind": "sale"} for row in shop.orders for _ in range(2)]
    shop.orders.extend([order("back", kind="return"), order("back", kind="return")])
    shop.lines.append(line("back", "p01"))

    report = shop.ingest()

    assert report.metrics["excluded"] == {"products": 0, "orders": 1, "order_lines": 1}
    assert report.wrote == {"products": 40, "orders": 60, "order_lines": 120}
