"""What holds for any shop: ingesting what was ingested changes nothing; the order of the rows changes nothing."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.settings import load_settings
from configs.stage import SilentProgress
from features.data.contract import CONTRACT
from features.data.ingest import ingest
from tests.features.data.shop import Shop, line, order, product

TABLES = ("products", "orders", "order_lines")
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SKUS = st.sampled_from(["a", "b", "c", " a", "é"])
TICKETS = st.sampled_from(["1", "2", "3", "x"])
MONEY = st.sampled_from([0.0, 0.1, 0.7, 1.99, 3.3])
LINES = st.builds(line, TICKETS, SKUS, pieces=st.sampled_from([1, 2, 0.3, 0, -1]), each=MONEY, off=MONEY)


@st.composite
def shops(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Rows of a small shop in which lines are repeated, faulty and refer to what is not there."""
    priced = [product(sku, price=draw(st.sampled_from([None, 2.0]))) for sku in ("a", "b", "c", "é")]
    orders = [order(ticket, at=f"2024-05-0{draw(st.integers(1, 3))}T10:00Z") for ticket in ("1", "2", "3")]
    lines = draw(st.lists(LINES, min_size=1, max_size=30))
    return {"products": priced, "orders": orders, "lines": [*lines, line("1", "a")]}


def build(folder: Path, rows: dict[str, list[dict[str, Any]]]) -> Shop:
    """Ingest the rows with no limit on how many may be bad."""
    shop = Shop(folder, max_rejected_share=1.0, **rows)
    shop.ingest()
    return shop


@FEW
@given(shops(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows: dict[str, list[dict[str, Any]]], dice: random.Random) -> None:
    shuffled = {name: dice.sample(table, len(table)) for name, table in rows.items()}
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one, other = build(Path(first), rows), build(Path(second), shuffled)

        for name in TABLES:
            pd.testing.assert_frame_equal(one.table(name), other.table(name))
            reasons = [sorted(shop.quarantine(name)["reason"]) for shop in (one, other)]
            assert reasons[0] == reasons[1]


@FEW
@given(shops())
def test_ingesting_what_was_ingested_changes_nothing(rows: dict[str, list[dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = build(Path(folder), rows)
        again = ingest_output(shop)

        assert again.rejected == {}
        assert again.metrics["fingerprint"] == fingerprint(shop)


@FEW
@given(shops())
def test_every_row_that_was_read_is_written_merged_excluded_or_quarantined(
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = build(Path(folder), rows)

        lines = shop.table("order_lines")
        assert not lines.duplicated(["order_id", "product_id"]).any()
        faulty = len(shop.quarantine("order_lines"))
        merged = len(shop.lines) - faulty - len(lines)
        good = [
            (row["ticket"], row["sku"].strip())
            for row in shop.lines
            if row["pieces"] > 0 and row["ticket"] in {"1", "2", "3"}
        ]
        assert len(good) + faulty == len(shop.lines)
        assert merged == len(good) - len(set(good))
        assert set(zip(lines["order_id"], lines["product_id"], strict=True)) == set(good)


def ingest_output(shop: Shop) -> Any:
    """Ingest the written tables as a data set of their own and return the report."""
    data = shop.settings.work.data
    mapping = {
        **{key: shop.mapping[key] for key in ("name", "title", "timezone", "clock")},
        "tables": {
            name: {
                "source": {"path": f"{data}/{name}.parquet"},
                "columns": {column.name: column.name for column in CONTRACT[name]},
            }
            for name in TABLES
        },
    }
    path = shop.folder / "again.yaml"
    path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    return ingest(load_settings(dataset=str(path), home=shop.folder / "again"), SilentProgress())


def fingerprint(shop: Shop) -> str:
    """Return the fingerprint that was recorded."""
    record = yaml.safe_load((shop.settings.work.data / "ingest.json").read_text(encoding="utf-8"))
    return str(record["fingerprint"])
