"""Arrays as `.npy` files in a folder: mapped when read, so that processes share what they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.texts import Texts, text_column

PAGE_BYTES = 4096


def map_array(folder: Path, name: str) -> NDArray[Any]:
    """Return the array in `NAME.npy`, memory-mapped; not to be written to."""
    # Copy-on-write, and nobody writes, so that memory stays shared; read-only arrays cost kernels more than their work.
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    return array.view(np.ndarray)  # a plain array over the same mapped memory: np.memmap's wrappers cost per call


def map_array_now(folder: Path, name: str) -> NDArray[Any]:
    """Return the same with every page of it mapped already, not by the first request that needs it."""
    array = map_array(folder, name)
    array.ravel(order="K").view(np.uint8)[::PAGE_BYTES].max(initial=0)  # touches a byte of each page
    return array


def save_texts(folder: Path, name: str, texts: Sequence[str]) -> None:
    """Write texts as two arrays: their bytes one after the other, and where each begins."""
    column = text_column(texts).combine_chunks()
    _, starts, content = column.buffers()
    start = np.frombuffer(starts, np.int32)[column.offset : column.offset + len(column) + 1]
    told = np.frombuffer(content or b"", np.uint8)[start[0] : start[-1]]
    save_named(folder, {"start": start - start[0], "bytes": told}, f"{name}_")


def map_texts(folder: Path, name: str) -> Texts:
    """Return the texts that `save_texts` wrote, memory-mapped."""
    start, told = (pa.py_buffer(map_array(folder, f"{name}_{part}")) for part in ("start", "bytes"))
    return Texts(pa.chunked_array([pa.StringArray.from_buffers(start.size // 4 - 1, start, told)]))


def save_named(folder: Path, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> None:
    """Write each array by its name, after a prefix."""
    for name, array in arrays.items():
        np.save(folder / f"{prefix}{name}.npy", array)


def load_named(folder: Path, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return the arrays that `save_named` wrote, by name, as `map_array_now` does."""
    names = [path.stem for path in folder.glob(f"{prefix}*.npy")]
    return {name.removeprefix(prefix): map_array_now(folder, name) for name in names}
