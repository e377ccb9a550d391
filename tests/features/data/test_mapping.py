"""The declared vocabulary of mappings: columns, constants, sums, ratios, joins; and types that do not fit."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError, DataError
from features.data.convert import as_flag, as_id, as_number, as_text
from tests.features.data.shop import Shop


def plain(values: pd.Series) -> list[object]:
    """Return values as Python objects, missing as None."""
    return [None if pd.isna(value) else value for value in values.astype(object)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["007", " 7 ", "", None], ["007", "7", None, None]),
        ([7, 8], ["7", "8"]),
        (pd.array([2**60 + 1, None], "Int64"), [str(2**60 + 1), None]),
        ([7.0, np.nan], ["7", None]),  # whole numbers with gaps, as many exports give them
        ([Decimal("7"), None], ["7", None]),
        (pd.Categorical(["a", None]), ["a", None]),
    ],
)
def test_ids_become_trimmed_text(values: Any, expected: list[object]) -> None:
    assert plain(as_id(pd.Series(values), "t.id")) == expected


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([7.5], "numbers with decimals (such as 7.5)"),
        (pd.to_datetime(["2024-05-01"]), "timestamps"),
        ([[1], [2]], "list values"),
        ([b"7"], "bytes values"),
    ],
)
def test_types_that_cannot_be_ids_are_refused_with_table_and_column(values: Any, found: str) -> None:
    with pytest.raises(DataError) as error:
        as_id(pd.Series(values), "orders.order_id")

    assert str(error.value).startswith(f"orders.order_id: found {found}")


def test_numbers_are_read_from_text_and_decimals_and_the_unreadable_is_told_from_the_missing() -> None:
    numbers, unreadable = as_number(pd.Series([" 2.5 ", Decimal("1.20"), 3, "1,5", "inf", "", None]), "t.n")

    assert plain(numbers) == [2.5, 1.2, 3.0, None, None, None, None]
    assert unreadable.tolist() == [False, False, False, True, True, False, False]


def test_timestamps_are_no_numbers() -> None:
    with pytest.raises(DataError, match=r"order_lines\.quantity: found timestamps, expected numbers"):
        as_number(pd.Series(pd.to_datetime(["2024-05-01"])), "order_lines.quantity")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False], [True, False]),
        (["Yes", "n", "TRUE", "0", "12", "-1", "maybe", None], [True, False, True, False, True, False, None, None]),
        ([3, 0], [True, False]),
        ([0.5, np.nan], [True, None]),
    ],
)
def test_stock_is_read_from_words_and_levels(values: Any, expected: list[object]) -> None:
    assert plain(as_flag(pd.Series(values), "t.f")) == expected


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans(), st.dates())))
def test_any_mixture_of_values_becomes_text_numbers_and_flags_of_the_same_length(values: list[object]) -> None:
    series = pd.Series(values, dtype=object)

    text = as_text(series, "t.c")
    numbers, unreadable = as_number(series, "t.c")
    assert len(text) == len(numbers) == len(as_flag(series, "t.c")) == len(values)
    assert all(value == value.strip() and value for value in text.dropna())
    assert np.isfinite(numbers.dropna()).all()
    assert not (unreadable & numbers.notna()).any()


def test_a_title_is_joined_from_parts_without_those_that_are_missing(shop: Shop) -> None:
    shop.map("products", title={"join": ["name", "size", "note"], "separator": " · ", "case": "title"})
    for row, (name, size, note) in zip(
        shop.products,
        [("KID'S MILK", "1/2 GAL", "FRESH"), ("BREAD", None, "sliced"), (None, "6 OZ", ""), *[("x", "y", "z")] * 37],
        strict=True,
    ):
        row |= {"name": name, "size": size, "note": note}

    shop.ingest()

    assert shop.table("products")["title"].tolist()[:3] == ["Kid's Milk · 1/2 Gal · Fresh", "Bread · Sliced", "6 Oz"]


def test_prices_and_discounts_are_computed_from_line_totals(shop: Shop) -> None:
    shop.map("order_lines", unit_price={"ratio": ["paid", "pieces"]}, discount={"sum": ["card", "coupon"]})
    for row in shop.lines:
        row |= {"pieces": 4, "paid": 10.0, "card": 0.5, "coupon": 0.25}
    shop.lines[0]["coupon"] = None
    shop.lines[1] |= {"card": None, "coupon": None}
    shop.lines[2]["pieces"] = 0
    shop.lines[3]["coupon"] = "half"

    report = shop.ingest("csv")

    lines = shop.table("order_lines")
    assert set(lines["unit_price"]) == {2.5}
    assert lines["discount"].tolist() == [0.5, 0.0, *[0.75] * 116]
    assert report.rejected == {
        "order_lines: quantity is not above 0": 1,
        "order_lines: discount is no number": 1,
    }


def test_a_constant_stands_in_every_row(shop: Shop) -> None:
    shop.map("products", in_stock={"value": False}, price={"value": 9.5})
    shop.map("orders", channel={"value": "web"})
    shop.map("order_lines", quantity={"value": 1})

    shop.ingest()

    assert not shop.table("products")["in_stock"].any()
    assert set(shop.table("products")["price"]) == {9.5}
    assert set(shop.table("orders")["channel"]) == {"web"}
    assert set(shop.table("order_lines")["quantity"]) == {1.0}


def test_a_moment_can_be_joined_from_a_date_and_a_time(shop: Shop) -> None:
    shop.mapping["timestamps_in"] = "Europe/Amsterdam"
    shop.map("orders", placed_at={"join": ["day", "hour"], "separator": "T"})
    for row in shop.orders:
        row |= {"day": date(2024, 7, 1), "hour": "18:30"}

    shop.ingest()

    assert set(shop.table("orders")["placed_at"]) == {pd.Timestamp("2024-07-01T16:30Z")}


@pytest.mark.parametrize(
    ("table", "column", "spec"),
    [
        ("order_lines", "quantity", {"join": ["pieces", "each"]}),
        ("products", "title", {"sum": ["price"]}),
        ("orders", "order_id", {"ratio": ["ticket", "ticket"]}),
        ("products", "in_stock", {"join": ["available"]}),
    ],
)
def test_a_way_of_mapping_that_does_not_fit_the_column_is_refused(
    shop: Shop, table: str, column: str, spec: dict[str, Any]
) -> None:
    shop.map(table, **{column: spec})

    with pytest.raises(ConfigError, match=rf"{table}\.{column} is mapped by .* does not fit a"):
        shop.ingest()


def test_columns_that_are_not_mapped_are_missing_in_the_written_table(shop: Shop) -> None:
    for column in ("brand", "price"):
        del shop.mapping["tables"]["products"]["columns"][column]

    report = shop.ingest()

    products = shop.table("products")
    assert set(products["brand"]) == {""}
    assert set(products["price"]) == {2.0}  # every product was sold at that
    assert products[["image_url", "margin"]].isna().all(axis=None)
    assert report.notes == ["products: 40 prices taken from the most recent sale"]


def test_segments_of_shoppers_keep_the_names_of_the_mapping(shop: Shop) -> None:
    pd.DataFrame({"id": [1, 2], "years": ["30-44", None]}).to_csv(shop.folder / "who.csv", index=False)
    shop.mapping["tables"]["shoppers"] = {
        "source": {"path": "who.csv"},
        "columns": {"shopper_id": "id", "age_group": "years"},
    }

    shop.ingest()

    assert shop.table("shoppers").to_dict("list") == {"shopper_id": ["1", "2"], "age_group": ["30-44", None]}
