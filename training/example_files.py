"""Examples as files: one `.npy` an array, which is written piece by piece and mapped by whoever reads it.

So no process ever holds all features in memory of its own, and rankers that read them side by side share the pages.
Layout of a folder: `learn_features.npy`, `learn_label.npy`, `learn_group.npy` and the same of `held_back_`, and
`learn_weight.npy` if some draws do not count as much as others; what the arrays are stands in `training.examples`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from os import SEEK_END
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray

from training.arrays import map_array
from training.examples import Examples, Split

ARRAYS = ("features", "label", "group")
WEIGHT = "learn_weight"
PARTS = ("learn", "held_back")


class SplitWriter:
    """Writes examples into a folder, piece after piece; a context in which the files are open.

    Attributes:
        tried, draws, rows: by part, what was written so far: draws made, those kept, and their candidates.
    """

    def __init__(self, folder: Path, columns: int) -> None:
        """Begin with no examples, of features of so many columns."""
        none = Examples.none(columns)
        self.tried, self.draws, self.rows = (dict.fromkeys(PARTS, 0) for _ in range(3))
        self._files = {
            (part, name): _GrowingArray(folder / f"{part}_{name}.npy", getattr(none, name))
            for part in PARTS
            for name in ARRAYS
        }
        self._folder, self._weight = folder, list[_GrowingArray]()
        self._open = ExitStack()

    def add(self, learn: Examples, held_back: Examples) -> None:
        """Write a piece of each part, behind what is there."""
        self._weigh(learn)
        for part, piece in zip(PARTS, (learn, held_back), strict=True):
            self.tried[part] += piece.tried
            self.draws[part] += piece.group.size
            self.rows[part] += piece.label.size
            for name in ARRAYS:
                self._files[part, name].add(getattr(piece, name))

    def so_far(self) -> Split:
        """Return what was written so far, memory-mapped; more may be added afterwards."""
        for file in (*self._files.values(), *self._weight):
            file.flush()
        return map_split(self._folder, self.tried)

    def _weigh(self, learn: Examples) -> None:
        """Write weights from the first piece on that has some; what is there already counts once."""
        if learn.weight is not None and not self._weight:
            file = _GrowingArray(self._folder / f"{WEIGHT}.npy", np.empty(0, np.float32))
            self._open.callback(file.close)
            self._weight.append(file)
            file.add(np.ones(self.rows["learn"], np.float32))
        for file in self._weight:
            file.add(learn.weights())

    def __enter__(self) -> SplitWriter:
        for file in self._files.values():
            self._open.callback(file.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def map_split(folder: Path, tried: Mapping[str, int]) -> Split:
    """Return the examples in a folder, their arrays memory-mapped; `tried` is what the writer counted."""

    def part(name: str) -> Examples:
        features, label, group = (map_array(folder, f"{name}_{array}") for array in ARRAYS)
        return Examples(features, label, group, tried[name])

    learn, held_back = (part(name) for name in PARTS)
    weighted = (folder / f"{WEIGHT}.npy").exists()
    return Split(replace(learn, weight=map_array(folder, WEIGHT)) if weighted else learn, held_back)


class _GrowingArray:
    """An `.npy` file whose rows are added one batch after another. NumPy leaves room in headers for that."""

    def __init__(self, path: Path, like: NDArray[Any]) -> None:
        """Begin with no rows, of the type and the further dimensions of `like`."""
        self._like, self._rows = like, 0
        self._stream = path.open("wb")
        self._write_header()

    def add(self, rows: NDArray[Any]) -> None:
        self._stream.write(np.ascontiguousarray(rows, dtype=self._like.dtype).data)
        self._rows += len(rows)

    def flush(self) -> None:
        self._stream.seek(0)
        self._write_header()
        self._stream.seek(0, SEEK_END)
        self._stream.flush()

    def close(self) -> None:
        self.flush()
        self._stream.close()

    def _write_header(self) -> None:
        header = header_data_from_array_1_0(self._like) | {"shape": (self._rows, *self._like.shape[1:])}
        write_array_header_1_0(self._stream, header)
