"""Files of cases: Parquet in, checked column by column; Parquet out, whole or not at all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs import Progress, Settings, StageReport
from configs.errors import DataError
from configs.home import replace_file
from training.protocol import NamedCase, Variant, held_out_cases

COLUMNS = {
    "case_id": "a text or whole number, distinct",
    "shopper_id": "a text, null for an unknown shopper",
    "at": "a UTC timestamp",
    "cart": "a list of product ids",
}
"""Columns that a cases file must have, and what they hold; `channel`, a text, is optional."""


@dataclass(frozen=True)
class Cases:
    """Moments to recommend for, as parallel columns.

    Attributes:
        ids: [cases], text or integers, distinct. shoppers: ids, None if unknown.
        at: int64[cases], unix seconds. carts: product ids, any order. channels: None if not said.
    """

    ids: pa.Array
    shoppers: list[str | None]
    at: NDArray[np.int64]
    carts: list[list[str]]
    channels: list[str | None]

    def __len__(self) -> int:
        return len(self.shoppers)


def read_cases(path: Path) -> Cases:
    """Return the cases of a Parquet file.

    Raises:
        DataError: there is no such file, it is no Parquet file, or a column is missing or holds something else.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}: name a Parquet file with the columns {', '.join(COLUMNS)}.")
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} cannot be read as Parquet ({reason}): export the cases as a Parquet file.") from None
    return cases_of(table, str(path))


def cases_of(table: pa.Table, where: str = "The cases") -> Cases:
    """Return a table of cases, checked.

    Timestamps without a time zone are taken as UTC, and fractions of a second are dropped. Ids of shoppers and
    products may be numbers and are compared as text. A missing cart is an empty one. Other columns are ignored.

    Args:
        table: with the columns `COLUMNS`.
        where: what messages call it.

    Raises:
        DataError: a column is missing or holds something else; the message names it.
    """
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{where}: the column {missing[0]} is missing; it holds {COLUMNS[missing[0]]}.")
    table = table.combine_chunks()
    no_channels: list[str | None] = [None] * table.num_rows
    channels = _texts(table, "channel", where) if "channel" in table.column_names else no_channels
    carts = _carts(table, where)
    return Cases(_ids(table, where), _texts(table, "shopper_id", where), _moments(table, where), carts, channels)


def _ids(table: pa.Table, where: str) -> pa.Array:
    ids = _plain(table["case_id"])
    if not len(ids) and pa.types.is_null(ids.type):  # what pandas writes of a frame without rows
        return ids.cast(pa.string())
    if not (_is_text(ids.type) or pa.types.is_integer(ids.type)):
        raise _wrong(where, "case_id", COLUMNS["case_id"], ids.type)
    _refuse_missing(ids, "case_id", where)
    counts = pc.value_counts(ids)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        first = repeated[0].as_py()
        raise DataError(
            f"{where}: {len(repeated)} case_id stand there more than once, such as {first['values']!r} "
            f"({first['counts']} times): give each case an id of its own."
        )
    return ids


def _moments(table: pa.Table, where: str) -> NDArray[np.int64]:
    at = _plain(table["at"])
    if not len(at):
        return np.empty(0, dtype=np.int64)
    if not pa.types.is_timestamp(at.type):
        raise _wrong(where, "at", f"{COLUMNS['at']}, not text, date or number", at.type)
    _refuse_missing(at, "at", where)
    microseconds: NDArray[np.int64] = at.cast(pa.timestamp("us", at.type.tz), safe=False).cast(pa.int64()).to_numpy()
    return microseconds // 1_000_000


def _texts(table: pa.Table, name: str, where: str) -> list[str | None]:
    column = _plain(table[name])
    if not (_is_text(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
        raise _wrong(where, name, COLUMNS.get(name, "a text, null if not known"), column.type)
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    return texts


def _carts(table: pa.Table, where: str) -> list[list[str]]:
    carts = _plain(table["cart"])
    if pa.types.is_null(carts.type):
        return [[] for _ in range(len(carts))]
    if not (pa.types.is_list(carts.type) or pa.types.is_large_list(carts.type)):
        raise _wrong(where, "cart", COLUMNS["cart"], carts.type)
    inner = carts.type.value_type
    if pa.types.is_dictionary(inner):
        inner = inner.value_type
    if not (_is_text(inner) or pa.types.is_integer(inner) or pa.types.is_null(inner)):
        raise _wrong(where, "cart", COLUMNS["cart"], carts.type)
    return [[str(product) for product in cart if product is not None] if cart else [] for cart in carts.to_pylist()]


def _plain(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # a table without rows has no chunk
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view())


def _refuse_missing(column: pa.Array, name: str, where: str) -> None:
    if column.null_count:
        raise DataError(f"{where}: {name} is missing in {column.null_count} of {len(column)} rows: fill or drop them.")


def _wrong(where: str, name: str, expected: str, found: pa.DataType) -> DataError:
    return DataError(f"{where}: the column {name} holds {found}, but {expected} is expected.")


def export_cases(
    settings: Settings, progress: Progress, *, variant: Variant, out: str, hidden: str | None = None
) -> StageReport:
    """Write the held-out cases of the evaluation window to `out`, and what was hidden of them to `hidden`.

    Cases have the columns of `COLUMNS` in the order of time, case_id being the order's id. Hidden products are
    listed one a row: case_id, product_id.

    Raises:
        NotBuiltError: nothing was ingested yet.
        DataError: no orders lie in the window.
        ConfigError: a file cannot be written.
    """
    progress.update("choosing baskets", 0.0)
    cases = held_out_cases(settings, variant)
    tables = {out: _case_table(cases)} | ({hidden: _hidden_table(cases)} if hidden else {})
    with contextlib.ExitStack() as files:  # both files or neither
        for name, table in tables.items():
            pq.write_table(table, files.enter_context(replace_file(Path(name))), compression="zstd")
    wrote = {"cases": len(cases)} | ({"hidden products": tables[hidden].num_rows} if hidden else {})
    return StageReport("cases", read={"cases": len(cases)}, wrote=wrote, metrics={"variant": variant, "out": out})


def _case_table(cases: list[NamedCase]) -> pa.Table:
    return pa.table(
        {
            "case_id": pa.array([case.order_id for case in cases], pa.string()),
            "shopper_id": pa.array([case.shopper_id for case in cases], pa.string()),
            "at": pa.array([case.placed_at for case in cases], pa.timestamp("s", "UTC")).cast(
                pa.timestamp("us", "UTC")
            ),
            "cart": pa.array([case.cart for case in cases], pa.list_(pa.string())),
        }
    )


def _hidden_table(cases: list[NamedCase]) -> pa.Table:
    rows = [(case.order_id, product) for case in cases for product in case.hidden]
    return pa.table({name: pa.array([row[i] for row in rows]) for i, name in enumerate(("case_id", "product_id"))})
