"""Many texts in one piece of memory, or as codes of a few: as Python strings a million titles take thrice as much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

PIECE = 4096
"""Rows that are turned into Python objects at a time."""


class Texts(Sequence[str]):
    """A read-only sequence of strings over an Arrow column.

    Args:
        column: strings without nulls.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        pieces = column.chunks
        self._column = pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces or [pa.array([], pa.string())])

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


class Coded(Sequence[str]):
    """A read-only sequence of strings of which many are equal.

    Attributes:
        names: each text once, ascending. codes: int32[n], which of them stands at each place.
    """

    def __init__(self, names: Sequence[str], codes: NDArray[np.int32]) -> None:
        self.names, self.codes = list(names), codes

    @classmethod
    def of(cls, texts: Sequence[str]) -> Coded:
        """Return texts as codes; what is coded already as it is."""
        return texts if isinstance(texts, Coded) else cls.of_column(text_column(texts))

    @classmethod
    def of_column(cls, column: pa.ChunkedArray) -> Coded:
        """Return the texts of an Arrow column as codes."""
        found = column.combine_chunks().dictionary_encode()  # numpy would sort every row's text
        names = sorted(found.dictionary.to_pylist())
        code = pc.index_in(found.dictionary, pa.array(names, pa.string())).to_numpy()
        return cls(names, code[found.indices.to_numpy()].astype(np.int32))

    def __len__(self) -> int:
        return int(self.codes.size)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self.names[code] for code in self.codes[place].tolist()]
        name: str = self.names[self.codes[place]]
        return name

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), PIECE):
            yield from self[start : start + PIECE]


def text_column(texts: Sequence[str]) -> pa.ChunkedArray:
    """Return texts as a column, made piece by piece, so that another thread may go on in between."""
    if isinstance(texts, Texts):
        return pa.chunked_array([pa.array(texts)], pa.string())
    pieces = (texts[start : start + PIECE] for start in range(0, len(texts), PIECE))
    return pa.chunked_array([pa.array(piece, pa.string()) for piece in pieces], pa.string())
