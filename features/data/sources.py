"""Reading a source: the needed columns of a Parquet file, a CSV file or a database table, as they are."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from configs.errors import DataError
from configs.mapping import FileSource, PackageSource, SqlSource
from features.data.sql import read_table

TEXT = pd.StringDtype("pyarrow", na_value=np.nan)
"""How text is held: compact, missing as NaN."""


def read_source(source: FileSource | PackageSource | SqlSource, columns: Sequence[str], folder: Path) -> pd.DataFrame:
    """Return the rows of a source in the source's order.

    Every field of a CSV is text, so that ids keep their leading zeros; empty fields are missing. Integers
    with missing values stay integers.

    Args:
        source: where the rows are.
        columns: the source columns that are needed.
        folder: where relative paths start.

    Raises:
        ConfigError: a database URL that cannot be used.
        DataError: the source is missing, unreadable, empty, or lacks a column.
    """
    if isinstance(source, SqlSource):
        frame = read_table(source, columns, folder)
    else:
        path = file_of(source, folder)
        separator = source.separator if isinstance(source, FileSource) else ","
        frame = _read_csv(path, columns, separator) if path.suffix == ".csv" else _read_parquet(path, columns)
    if frame.empty:
        raise DataError(f"{describe(source)} has no rows; expected at least one. Check the export.")
    return frame


def describe(source: FileSource | PackageSource | SqlSource) -> str:
    """Return what a person calls the source; never a URL, which may hold a password."""
    if isinstance(source, SqlSource):
        return f"database table {source.table}"
    return f"{source.package}/{source.path}" if isinstance(source, PackageSource) else source.path


def file_of(source: FileSource | PackageSource, folder: Path) -> Path:
    """Return the file of a source.

    Raises:
        DataError: there is no such package or file, or its ending is neither .parquet nor .csv.
    """
    if isinstance(source, PackageSource):
        folder = _package_folder(source.package)
    path = folder / source.path
    if path.suffix not in {".parquet", ".csv"}:
        raise DataError(f"{path} ends in {path.suffix or 'nothing'}; expected a .parquet or a .csv file.")
    if not path.is_file():
        raise DataError(f"{path} does not exist. Put the file there, or correct the path in the mapping.")
    return path


def _package_folder(package: str) -> Path:
    # find_spec does not run the package: only its files are wanted.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"The Python package {package} holds the data, but is not installed: "
            f"pip install {package.replace('_', '-')}"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _read_parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    types = {pa.string(): TEXT, pa.large_string(): TEXT, pa.int64(): pd.Int64Dtype()}
    try:
        with pq.ParquetFile(path) as file:
            _require(columns, file.schema_arrow.names, str(path))
            frame: pd.DataFrame = file.read(columns=list(columns)).to_pandas(types_mapper=types.get)
            return frame
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {_first_line(error)}") from None


def _read_csv(path: Path, columns: Sequence[str], separator: str) -> pd.DataFrame:
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    try:
        with csv.open_csv(path, parse_options=parse) as file:
            _require(columns, file.schema.names, str(path))
        convert = csv.ConvertOptions(
            include_columns=list(columns),
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        )
        table = csv.read_csv(path, parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read as CSV (UTF-8, one line of names): {_first_line(error)}") from None
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.string(): TEXT}.get)
    return frame


def _require(columns: Sequence[str], found: Sequence[str], where: str) -> None:
    missing = [column for column in columns if column not in found]
    if missing:
        raise DataError(
            f"{where} has no column {missing[0]!r}, which the mapping names; it has: {', '.join(found)}. "
            "Correct the mapping or the export (and a CSV's separator)."
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
