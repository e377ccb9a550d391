"""Larger shops are what the benchmark says they are, and the stages run on them. Its figures are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from benchmarks.growth import MOST_HOURS_APART, STAGES, measure, table_of, write_shop
from configs import Settings
from configs.errors import ConfigError
from features.history import ingest_record
from tests.support.shop import quickened


def test_every_stage_is_measured_on_a_larger_shop(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (built_shop.work.stages / "ingest.json").exists()
    runs = measure(quickened(built_shop), [2], tmp_path)
    assert (built_shop.work.stages / "ingest.json").exists() == before, "the shop itself is left alone"
    Console(width=100).print(table_of(runs))
    assert "peak MiB" in capsys.readouterr().out
    assert [run.stage for run in runs] == list(STAGES)
    orders = pq.read_metadata(built_shop.work.data / "orders.parquet").num_rows
    assert {run.orders for run in runs} == {2 * orders}
    assert all(run.seconds > 0 and run.peak_mb > 0 for run in runs)
    report = json.loads((built_shop.work.reports / "growth.json").read_text())
    assert [run["stage"] for run in report["runs"]] == list(STAGES)


def test_copies_are_other_shoppers_who_buy_the_same_a_little_earlier(built_shop: Settings, tmp_path: Path) -> None:
    data = built_shop.work.data
    write_shop(data, ingest_record(data), 3, tmp_path)
    orders, lines = (pq.read_table(tmp_path / f"{name}.parquet").to_pandas() for name in ("orders", "order_lines"))
    original = pq.read_table(data / "orders.parquet").to_pandas()
    assert len(orders) == 3 * len(original)
    assert orders["order_id"].is_unique
    assert orders["shopper_id"].nunique() == 3 * original["shopper_id"].nunique()
    copied = orders.iloc[2 * len(original) :].reset_index(drop=True)
    earlier = (original["placed_at"] - copied["placed_at"]).dt.total_seconds() / 3600
    assert earlier.between(0, MOST_HOURS_APART).all()
    assert copied["placed_at"].min() >= original["placed_at"].min()
    sizes = lines.groupby("order_id").size()
    np.testing.assert_array_equal(sizes[copied["order_id"]], sizes[original["order_id"]])


def test_no_shop_at_all_is_refused(built_shop: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        measure(built_shop, [0], tmp_path)
