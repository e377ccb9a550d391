"""Fingerprints: of what a data set is read from, and of what ingestion made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.dataset import load_dataset
from configs.home import file_digest
from configs.mapping import SqlSource, Table
from configs.settings import Settings
from events.suppression import suppressed_until
from features.data.live import live_digest
from features.data.sources import file_of
from features.data.sql import table_digest

_SMALL_TABLES = ("products", "shoppers")


def source_fingerprint(settings: Settings) -> str:
    """Return a SHA-256 that changes when the data set's mapping or its sources change.

    Files count with all their bytes. Of database tables, products and shoppers count with every row that is
    read; orders and order_lines, which grow by appending, with their number of rows and each mapped column's
    maximum: a change of an old order shows only when it changes one of those. Live orders that are to be taken in
    count one by one, and so does everybody on the suppression list.

    Args:
        settings: `dataset` names the mapping.

    Raises:
        ConfigError: the mapping or a database URL is wrong.
        DataError: a source is missing or cannot be read.
    """
    dataset = load_dataset(settings)
    digest = hashlib.sha256(dataset.origin.read_bytes())
    folder = dataset.origin.parent
    files: dict[Path, str] = {}
    for name, table in dataset.tables.mapped().items():
        source = table.source
        if isinstance(source, SqlSource):
            content = _of_database(name, table, source, folder)
        else:
            path = file_of(source, folder)
            if path not in files:
                files[path] = file_digest(path)
            content = files[path]
        digest.update(f"{name} {content}\n".encode())
    digest.update(live_digest(settings, dataset).encode())
    for name, at in sorted(suppressed_until(settings.work.suppressed).items()):
        digest.update(f"{name} {at!r}\n".encode())
    return digest.hexdigest()


def content_fingerprint(tables: Mapping[str, pa.Table]) -> str:
    """Return a SHA-256 of the rows of the contract tables, independent of file format and library versions."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        table = tables[name]
        for field in table.schema:
            digest.update(f"{name}.{field.name} {field.type} {table.num_rows}\n".encode())
            for part in _content(table[field.name]):
                digest.update(part)
    return digest.hexdigest()


def _of_database(name: str, table: Table, source: SqlSource, folder: Path) -> str:
    every_row = name in _SMALL_TABLES
    text = table_digest(source, table.source_columns(), folder, every_row=every_row)
    return hashlib.sha256(text.encode()).hexdigest()


def _content(column: pa.ChunkedArray) -> Iterator[bytes]:
    """Yield a column's values: for text the length of each (-1: missing) and all letters, else validity, values."""
    if pa.types.is_string(column.type):
        yield pc.fill_null(pc.binary_length(column), -1).to_numpy().astype("<i4").tobytes()
        for chunk in column.chunks:
            offsets = np.frombuffer(chunk.buffers()[1], "<i4")[chunk.offset : chunk.offset + len(chunk) + 1]
            if len(chunk):
                yield bytes(memoryview(chunk.buffers()[2])[offsets[0] : offsets[-1]])
        return
    yield column.is_valid().to_numpy().tobytes()
    if pa.types.is_boolean(column.type):
        yield pc.fill_null(column, False).to_numpy().astype("u1").tobytes()
    elif pa.types.is_timestamp(column.type):
        yield pc.fill_null(column.cast(pa.int64()), 0).to_numpy().astype("<i8").tobytes()
    else:
        yield pc.fill_null(column, 0.0).to_numpy().astype("<f8").tobytes()
