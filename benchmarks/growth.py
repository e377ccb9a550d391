"""How time and memory of each stage grow with the shop: the built data set, and copies of it laid over one another.

    python -m benchmarks.growth --times 1 --times 3 --times 10

The larger shops are simulated: every shopper of the real one several times, as persons of their own, whose copies buy
the same baskets some hours earlier or later; products stay as they are. So baskets keep the size, rhythm and company
they have, and orders, shoppers and pairs of products grow. Each stage runs in a process of its own, as `tillwise train`
runs it; seconds and peak memory are what its record says. Larger work folders are made in a temporary folder, or under
--into to look at them later.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError, PartError
from configs.home import read_json, write_json
from configs.provenance import provenance
from features.history import ingest_record
from pipelines.processes import environment
from pipelines.stages import stages_up_to

STAGES = tuple(stage.name for stage in stages_up_to("package"))
TABLES = ("products", "orders", "order_lines")
MOST_HOURS_APART = 12
SEED = 5


@dataclass(frozen=True)
class Run:
    """One stage on one shop.

    Attributes:
        times: how often the shop's shoppers are there. orders, lines: of the shop. seconds, peak_mb: of the stage.
    """

    times: int
    stage: str
    orders: int
    lines: int
    seconds: float
    peak_mb: float


def main() -> None:
    """Measure, print and write `growth.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, action="append", help="size of a shop; may be repeated; else 1, 3 and 10")
    parser.add_argument("--into", type=Path, help="keep the shops and their work folders here")
    given, console = parser.parse_args(), Console(width=100)
    with tempfile.TemporaryDirectory() as temporary:
        runs = measure(load_settings(), given.times or (1, 3, 10), given.into or Path(temporary), console.print)
    console.print(table_of(runs))


def measure(
    settings: Settings, sizes: Sequence[int], into: Path, tell: Callable[[str], None] = lambda _: None
) -> list[Run]:
    """Return what each stage took on each shop.

    Args:
        settings: of a work folder with data. sizes: copies of each shopper, at least 1.
        into: folder for the shops and their work folders. tell: told each stage before its turn.

    Raises:
        ConfigError: a size below 1. NotBuiltError: nothing was ingested. PartError: a stage failed; says why.
    """
    if min(sizes) < 1:
        raise ConfigError(f"Found --times {min(sizes)}, expected at least 1.")
    record = ingest_record(settings.work.data)
    runs: list[Run] = []
    for times in sizes:
        dataset = write_shop(settings.work.data, record, times, into / f"shop-{times}")
        home = into / f"work-{times}"
        for stage in STAGES:
            tell(f"{times} ×: {stage}")
            runs.append(_run(settings, dataset, home, stage, times))
    report = provenance("python -m benchmarks.growth", record["fingerprint"])
    write_json(settings.work.reports / "growth.json", report | {"runs": [asdict(run) for run in runs]})
    return runs


def write_shop(data: Path, record: dict[str, Any], times: int, into: Path) -> Path:
    """Write the shop of `times` copies of each shopper as Parquet tables, and return the path of its mapping."""
    into.mkdir(parents=True, exist_ok=True)
    products, orders, lines = (pq.read_table(data / f"{name}.parquet") for name in TABLES)
    rng = np.random.default_rng(SEED)
    pq.write_table(products.drop_columns(["image_url", "margin"]), into / "products.parquet")
    pq.write_table(_stacked(_copied(orders, copy, rng) for copy in range(times)), into / "orders.parquet")
    pq.write_table(_stacked(_renamed(lines, copy) for copy in range(times)), into / "order_lines.parquet")
    columns = {
        "products": ("product_id", "title", "category", "brand", "price", "in_stock"),
        "orders": ("order_id", "shopper_id", "placed_at", "channel"),
        "order_lines": ("order_id", "product_id", "quantity", "unit_price", "discount"),
    }
    mapping = {
        "name": f"{record['dataset']}_times_{times}",
        "title": f"{record['dataset']}, each shopper {times} times (simulated)",
        "timezone": record["timezone"],
        "clock": record["clock"],
        "tables": {
            name: {"source": {"path": f"{name}.parquet"}, "columns": {column: column for column in columns[name]}}
            for name in TABLES
        },
    }
    path = into / "shop.yaml"
    path.write_text(yaml.safe_dump(mapping, sort_keys=False), encoding="utf-8")
    return path


def _stacked(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive")  # what is computed may be null, as far as Arrow knows


def _copied(orders: pa.Table, copy: int, rng: np.random.Generator) -> pa.Table:
    """Return the orders of one copy of every shopper; the first copy is the shopper."""
    if copy == 0:
        return orders
    at = orders["placed_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    hours = rng.integers(-MOST_HOURS_APART, 0, at.size)  # never after the last order of the data
    moved = pa.array(np.maximum(at + hours * 3_600_000_000, at.min())).cast(pa.timestamp("us", "UTC"))
    orders = orders.set_column(orders.schema.get_field_index("placed_at"), "placed_at", moved)
    return _renamed(_renamed(orders, copy), copy, "shopper_id")


def _renamed(table: pa.Table, copy: int, column: str = "order_id") -> pa.Table:
    if copy == 0:
        return table
    names = pc.binary_join_element_wise(table[column], str(copy), "~")
    return table.set_column(table.schema.get_field_index(column), column, names)


def _run(settings: Settings, dataset: Path, home: Path, stage: str, times: int) -> Run:
    # Built anew and not copied: a copy would keep the work folder of the original.
    of_shop = Settings(**(settings.model_dump() | {"dataset": str(dataset.resolve()), "home": home.resolve()}))
    command = [sys.executable, "-m", "pipelines.cli", stages_up_to(stage)[-1].command or stage]
    done = subprocess.run(command, env=environment(of_shop), capture_output=True, text=True, check=False)
    if done.returncode:
        raise PartError(f"The stage {stage} failed on the shop of {times} ×: {done.stderr.strip() or done.stdout}")
    record = read_json(of_shop.work.stages / f"{stage}.json")
    wrote = read_json(of_shop.work.stages / "ingest.json")["report"]["wrote"]
    return Run(times, stage, wrote["orders"], wrote["order_lines"], record["seconds"], record["peak_mb"])


def table_of(runs: Sequence[Run]) -> Table:
    """Return one row a stage and shop, next to the same stage on the smallest shop."""
    table = Table(title="Stages on larger shops (simulated)", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("stage", "shop", "orders", "lines", "seconds", "×", "peak MiB", "×"):
        table.add_column(heading, justify="left" if heading == "stage" else "right", no_wrap=True)
    for run in sorted(runs, key=lambda run: (STAGES.index(run.stage), run.times)):
        least = min((other for other in runs if other.stage == run.stage), key=lambda other: other.times)
        table.add_row(
            run.stage,
            f"{run.times} ×",
            f"{run.orders:,}",
            f"{run.lines:,}",
            f"{run.seconds:.0f}",
            f"{run.seconds / least.seconds:.1f}",
            f"{run.peak_mb:,.0f}",
            f"{run.peak_mb / least.peak_mb:.1f}",
        )
    return table


if __name__ == "__main__":
    main()
