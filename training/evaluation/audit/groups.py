"""Groups of shoppers by what a shop knows of them, and of products by price and by how long they have been sold.

The table `shoppers` is read here and nowhere else after ingestion: nothing that ranks knows of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs.errors import ConfigError
from features.decay import DAY
from features.history import History
from training.evaluation.metrics import Floats

UNKNOWN = "unknown"
OLD, NEW, UNSOLD = "sold for longer", "first sold lately", "never sold before"
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Grouping:
    """One way to tell shoppers or products apart.

    Attributes:
        name: of it. of: what is told apart.
        labels: of the groups. case: int64[cases], the group of each case's shopper or hidden product as row in
            `labels`; -1 where it is not known.
        product: int64[products], the same of every product; None for groups of shoppers.
    """

    name: str
    of: Literal["shoppers", "products"]
    labels: tuple[str, ...]
    case: Codes
    product: Codes | None = None

    def members(self) -> Floats:
        """Return float64[cases, labels], 1 where the case belongs to the group."""
        belongs: NDArray[np.bool_] = self.case[:, None] == np.arange(len(self.labels))
        return belongs.astype(np.float64)


def demographic_groups(
    data: Path, columns: Sequence[str] | None, history: History, shopper: NDArray[np.int32]
) -> list[Grouping]:
    """Return a grouping for each column that the shop knows of its shoppers; none where it knows nothing.

    Args:
        data: folder that `ingest` wrote. columns: which; None: all. history: all orders.
        shopper: int32[cases], rows in the history's shoppers.

    Raises:
        ConfigError: there is no such column.
    """
    path = data / "shoppers.parquet"
    known = pq.read_schema(path).names[1:] if path.exists() else []
    if missing := [name for name in columns or () if name not in known]:
        raise ConfigError(
            f"evaluation.audit.demographics names {missing[0]!r}, but of shoppers the data set tells "
            f"{', '.join(known) or 'nothing'}. Correct TILLWISE_EVALUATION__AUDIT__DEMOGRAPHICS, or map the column in "
            "the data set's table `shoppers`."
        )
    chosen = known if columns is None else list(columns)
    if not chosen:
        return []
    table = pq.read_table(path, columns=["shopper_id", *chosen])
    row = pc.index_in(pa.array(history.shopper_ids), table["shopper_id"])
    return [_by_value(name, table[name].combine_chunks().take(row), shopper) for name in chosen]


def _by_value(name: str, value: pa.Array, shopper: NDArray[np.int32]) -> Grouping:
    """Group shoppers by text; whoever's text is missing is in no group."""
    labels = sorted(text for text in pc.unique(value).to_pylist() if text is not None)
    code = pc.fill_null(pc.index_in(value, pa.array(labels, pa.string()), skip_nulls=True), -1).to_numpy()
    return Grouping(name, "shoppers", tuple(labels), code[shopper].astype(np.int64))


def price_groups(price: Floats, sold: NDArray[np.int32], hidden: NDArray[np.int32], tiers: int) -> Grouping:
    """Return products by price, each group with about as many of the order lines before the cutoff.

    Args:
        price: float64[products], NaN if unknown. sold: int32[lines], product rows of those lines.
        hidden: int32[cases], product rows. tiers: how many groups; fewer where prices do not differ enough.
    """
    paid = price[sold]
    quantiles = np.linspace(0, 1, tiers + 1)[1:-1]
    edges = np.unique(np.quantile(paid[~np.isnan(paid)], quantiles)) if np.isfinite(paid).any() else np.empty(0)
    code = np.where(np.isnan(price), -1, np.searchsorted(edges, price)).astype(np.int64)
    text = [f"{edge:.2f}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(text)]
    labels = (f"up to {text[0]}", *between, f"above {text[-1]}") if text else ("any price",)
    return Grouping("price", "products", labels, code[hidden], code)


def novelty_groups(known: History, hidden: NDArray[np.int32], as_of: int, new_days: float) -> Grouping:
    """Return products by when they were first sold.

    Args:
        known: the orders before the cutoff. hidden: int32[cases], product rows.
        as_of: the cutoff, unix seconds. new_days: for how long a product is new, days.
    """
    first = np.full(len(known.catalogue), np.inf)
    np.minimum.at(first, known.product, known.at[known.line_order])
    age = (as_of - first) / DAY  # minus infinity: never sold
    code = np.select([np.isneginf(age), age <= new_days], [2, 1], 0).astype(np.int64)
    return Grouping("novelty", "products", (OLD, NEW, UNSOLD), code[hidden], code)
