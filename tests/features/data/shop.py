"""A builder of tiny shops: four tables as Python lists, written in any format with a mapping beside them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from configs.settings import Settings, load_settings
from configs.stage import SilentProgress, StageReport
from features.data.ingest import ingest

Row = dict[str, Any]

MAPPING: dict[str, Any] = {
    "name": "tiny",
    "title": "Tiny shop",
    "timezone": "Europe/Amsterdam",
    "clock": "historical",
    "tables": {
        "products": {
            "columns": {
                "product_id": "sku",
                "title": "name",
                "category": {"join": ["group", "kind"], "separator": " > "},
                "brand": "maker",
                "price": "price",
                "in_stock": "available",
            }
        },
        "orders": {"columns": {"order_id": "ticket", "shopper_id": "member", "placed_at": "at", "channel": "till"}},
        "order_lines": {
            "columns": {
                "order_id": "ticket",
                "product_id": "sku",
                "quantity": "pieces",
                "unit_price": "each",
                "discount": "off",
            }
        },
    },
}


@dataclass
class Shop:
    """Rows by table (with this shop's own column names) and the mapping; change either before ingesting.

    It starts with 40 products and 60 orders of two lines each, all of them good, so that one bad row is a few per
    cent of its table at most.
    """

    folder: Path
    products: list[Row] = field(default_factory=lambda: [product(f"p{n:02d}") for n in range(40)])
    orders: list[Row] = field(
        default_factory=lambda: [order(f"o{n:02d}", at=f"2024-05-{1 + n % 28:02d}T10:00:00+02:00") for n in range(60)]
    )
    lines: list[Row] = field(
        default_factory=lambda: [line(f"o{n:02d}", f"p{(n + i) % 40:02d}") for n in range(60) for i in range(2)]
    )
    mapping: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(MAPPING))
    max_rejected_share: float = 0.05

    @property
    def tables(self) -> dict[str, list[Row]]:
        """The rows by contract table."""
        return {"products": self.products, "orders": self.orders, "order_lines": self.lines}

    def map(self, table: str, **columns: Any) -> None:
        """Change where contract columns of a table come from."""
        self.mapping["tables"][table]["columns"].update(columns)

    def write(self, ending: str = "parquet") -> Path:
        """Write the tables and the mapping, whose path is returned; a source that the mapping names stays."""
        for name, rows in self.tables.items():
            path = self.folder / f"{name}.{ending}"
            frame = pd.DataFrame(rows)
            frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path, index=False)
            self.mapping["tables"][name].setdefault("source", {"path": path.name})
        return self.write_mapping()

    def write_mapping(self) -> Path:
        """Write only the mapping."""
        path = self.folder / "tiny.yaml"
        path.write_text(yaml.safe_dump(self.mapping), encoding="utf-8")
        return path

    @property
    def settings(self) -> Settings:
        """Settings with this shop as the data set and a work folder of its own."""
        return load_settings(
            dataset=str(self.folder / "tiny.yaml"),
            home=self.folder / "var",
            ingest={"max_rejected_share": self.max_rejected_share},
        )

    def ingest(self, ending: str = "parquet") -> StageReport:
        """Write everything and run the stage."""
        self.write(ending)
        return ingest(self.settings, SilentProgress())

    def table(self, name: str) -> pd.DataFrame:
        """Return a contract table that was written."""
        return pd.read_parquet(self.settings.work.data / f"{name}.parquet")

    def quarantine(self, name: str) -> pd.DataFrame:
        """Return what was quarantined of a table."""
        return pd.read_parquet(self.settings.work.data / "quarantine" / f"{name}.parquet")


def product(sku: str | None, **changes: Any) -> Row:
    """A good product."""
    row = {"sku": sku, "name": f"Product {sku}", "group": "Food", "kind": "Bread", "maker": "Brio", "price": 2.5}
    return row | {"available": True} | changes


def order(ticket: str | None, **changes: Any) -> Row:
    """A good order."""
    return {"ticket": ticket, "member": "m1", "at": "2024-05-01T10:00:00+02:00", "till": "store"} | changes


def line(ticket: str | None, sku: str | None, **changes: Any) -> Row:
    """A good line."""
    return {"ticket": ticket, "sku": sku, "pieces": 1.0, "each": 2.0, "off": 0.0} | changes
