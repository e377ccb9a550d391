"""Many texts in one piece of memory: as Python strings a million titles take three times as much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import pyarrow as pa


class Texts(Sequence[str]):
    """A read-only sequence of strings over an Arrow column.

    Args:
        column: strings without nulls.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        found = self._column[place]
        text: str | list[str] = found.to_pylist() if isinstance(place, slice) else found.as_py()
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self._column.to_pylist())

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:  # noqa: A002 - pyarrow's protocol names it so
        """Return the column, for pyarrow."""
        return self._column if type is None else self._column.cast(type)
