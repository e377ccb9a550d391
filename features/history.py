"""The shop's order history as integer-coded arrays, oldest order first, so that "before t" is a prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs.errors import NotBuiltError
from configs.home import read_json
from features.keys import distinct_keys, repeated_keys
from features.shopper import Order
from features.texts import Coded, Texts

SEPARATOR = " > "
"""Between the levels of a category path, widest first."""


@dataclass(frozen=True)
class Levels:
    """Category codes, int32[products] each, numbered from 0 within one catalogue.

    Attributes:
        leaf: the whole category path. parent: the path without its last level. department: its first level.
    """

    leaf: NDArray[np.int32]
    parent: NDArray[np.int32]
    department: NDArray[np.int32]

    @cached_property
    def departments(self) -> int:
        """Number of departments."""
        return int(self.department.max()) + 1


@dataclass(frozen=True)
class Catalogue:
    """The shop's products in ascending order of id; row numbers are this catalogue's own.

    Attributes:
        ids, titles, categories, brands: one text a product; brand "" is unknown. Categories and brands repeat.
        keys, category_keys, brand_keys: int64[products]; brand key 0 is unknown.
        price: float32[products], list price, NaN unknown. in_stock: bool[products].
        margin: float32[products], gross margin of one in money, NaN unknown.
    """

    ids: Sequence[str]
    titles: Sequence[str]
    categories: Sequence[str]
    brands: Sequence[str]
    price: NDArray[np.float32]
    in_stock: NDArray[np.bool_]
    margin: NDArray[np.float32]
    keys: NDArray[np.int64]
    category_keys: NDArray[np.int64]
    brand_keys: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def levels(self) -> Levels:
        """Each product's place in the category tree."""
        coded = Coded.of(self.categories)
        leaf, paths = coded.codes, [name.split(SEPARATOR) for name in coded.names]
        parents = np.unique([SEPARATOR.join(path[:-1] or path) for path in paths], return_inverse=True)[1]
        departments = np.unique([path[0] for path in paths], return_inverse=True)[1]
        return Levels(leaf, parents[leaf].astype(np.int32), departments[leaf].astype(np.int32))

    @classmethod
    def of(
        cls,
        *,
        ids: Sequence[str],
        titles: Sequence[str],
        categories: Sequence[str],
        brands: Sequence[str],
        price: NDArray[np.float32],
        in_stock: NDArray[np.bool_],
        margin: NDArray[np.float32] | None = None,
    ) -> Catalogue:
        """Return the catalogue with its keys computed; without `margin` none is known.

        Raises:
            DataError: two product ids collide in their key.
        """
        return cls(
            ids,
            titles,
            Coded.of(categories),
            Coded.of(brands),
            price,
            in_stock,
            np.full(len(ids), np.nan, dtype=np.float32) if margin is None else margin,
            distinct_keys(ids),
            repeated_keys(categories),
            repeated_keys(brands, unknown=""),
        )


@dataclass(frozen=True)
class History:
    """Orders sorted by (time, order id) and their lines sorted by (order, product).

    Attributes:
        catalogue: the products; shopper_ids, order_ids: list[str].
        at: int64[orders] unix seconds. shopper: int32[orders] row in shopper_ids.
        start: int64[orders + 1], lines of order i are start[i]:start[i + 1].
        product: int32[lines] row in the catalogue. quantity, unit_price, discount: float64[lines].
    """

    catalogue: Catalogue
    shopper_ids: list[str]
    order_ids: list[str]
    at: NDArray[np.int64]
    shopper: NDArray[np.int32]
    start: NDArray[np.int64]
    product: NDArray[np.int32]
    quantity: NDArray[np.float64]
    unit_price: NDArray[np.float64]
    discount: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.at.size)

    def before(self, moment: float) -> History:
        """Return the orders placed strictly before `moment` (unix seconds); arrays are views."""
        orders = int(np.searchsorted(self.at, moment, side="left"))
        lines = int(self.start[orders])
        return History(
            self.catalogue,
            self.shopper_ids,
            self.order_ids[:orders],
            self.at[:orders],
            self.shopper[:orders],
            self.start[: orders + 1],
            self.product[:lines],
            self.quantity[:lines],
            self.unit_price[:lines],
            self.discount[:lines],
        )

    def since(self, moment: float) -> History:
        """Return the orders placed at or after `moment` (unix seconds); arrays but `start` are views."""
        orders = int(np.searchsorted(self.at, moment, side="left"))
        lines = int(self.start[orders])
        return History(
            self.catalogue,
            self.shopper_ids,
            self.order_ids[orders:],
            self.at[orders:],
            self.shopper[orders:],
            self.start[orders:] - lines,
            self.product[lines:],
            self.quantity[lines:],
            self.unit_price[lines:],
            self.discount[lines:],
        )

    @cached_property
    def line_order(self) -> NDArray[np.int32]:
        """int32[lines], the order each line belongs to."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.start))

    def products_of(self, order: int) -> NDArray[np.int32]:
        """Return the distinct products of an order, ascending."""
        return self.product[self.start[order] : self.start[order + 1]]

    def order(self, order: int) -> Order:
        """Return one order in the form the shopper state folds."""
        lines = slice(self.start[order], self.start[order + 1])
        keys = self.catalogue.keys[self.product[lines]]
        by_key = np.argsort(keys, kind="stable")
        product = self.product[lines][by_key]
        return Order(
            int(self.at[order]),
            keys[by_key],
            self.catalogue.category_keys[product],
            self.catalogue.brand_keys[product],
            self.quantity[lines][by_key],
            self.unit_price[lines][by_key],
            self.discount[lines][by_key],
        )


def load_catalogue(data: Path) -> Catalogue:
    """Return the catalogue that `ingest` wrote.

    Raises:
        NotBuiltError: nothing was ingested yet.
    """
    return catalogue_of(_read(data / "products.parquet").sort_by("product_id"))


def catalogue_of(table: pa.Table) -> Catalogue:
    """Return the catalogue of a table with the contract's product columns, in the table's order."""
    return Catalogue.of(
        ids=Texts(table["product_id"]),
        titles=Texts(table["title"]),
        categories=Coded.of_column(table["category"]),
        brands=Coded.of_column(table["brand"]),
        price=_numbers(table["price"]).astype(np.float32),
        in_stock=table["in_stock"].to_numpy().astype(bool),
        margin=_numbers(table["margin"]).astype(np.float32),
    )


def load_history(data: Path) -> History:
    """Return the whole history that `ingest` wrote.

    Raises:
        NotBuiltError: nothing was ingested yet.
    """
    catalogue = load_catalogue(data)
    orders = _read(data / "orders.parquet").sort_by([("placed_at", "ascending"), ("order_id", "ascending")])
    lines = _read(data / "order_lines.parquet")
    shoppers = sorted(pc.unique(orders["shopper_id"]).to_pylist())
    order = pc.index_in(lines["order_id"], orders["order_id"]).to_numpy().astype(np.int32)
    product = pc.index_in(lines["product_id"], pa.array(catalogue.ids)).to_numpy().astype(np.int32)
    by_order = np.lexsort((product, order))
    return History(
        catalogue,
        shoppers,
        orders["order_id"].to_pylist(),
        (pc.cast(orders["placed_at"], pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy() // 1_000_000),
        pc.index_in(orders["shopper_id"], pa.array(shoppers)).to_numpy().astype(np.int32),
        np.concatenate([[0], np.cumsum(np.bincount(order, minlength=len(orders)))]).astype(np.int64),
        product[by_order],
        _numbers(lines["quantity"])[by_order],
        _numbers(lines["unit_price"])[by_order],
        _numbers(lines["discount"])[by_order],
    )


def ingest_record(data: Path) -> dict[str, Any]:
    """Return what `ingest` recorded of the data set: name, timezone, clock, counts, fingerprint.

    Raises:
        NotBuiltError: nothing was ingested yet.
    """
    record: dict[str, Any] | None = read_json(data / "ingest.json")
    if record is None:
        raise NotBuiltError(f"No data set lies in {data}: run `tillwise ingest` first.")
    return record


def _read(path: Path) -> pa.Table:
    if not path.exists():
        raise NotBuiltError(f"{path} does not exist: run `tillwise ingest` first.")
    return pq.read_table(path)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return numbers
