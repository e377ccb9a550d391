"""Examples that were written piece by piece are those that were given, and whoever reads them shares their pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from configs.errors import DataError
from training.example_files import ARRAYS, SplitWriter, map_split
from training.examples import Examples, Split

COLUMNS = 3


def pieces(seed: int, count: int) -> Iterator[Examples]:
    """Yield examples of 0 to 4 draws, two draws more tried than kept; every draw's first candidate was hidden."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        group = rng.integers(1, 6, rng.integers(0, 5)).astype(np.int32)
        label = np.concatenate([np.empty(0, dtype=bool), *(np.arange(size) == 0 for size in group)]).astype(np.int8)
        features = rng.standard_normal((label.size, COLUMNS)).astype(np.float32)
        features[rng.random(features.shape) < 0.1] = np.nan
        yield Examples(features, label, group, group.size + 2)


def written(folder: Path, learn: list[Examples], held_back: list[Examples]) -> Split:
    with SplitWriter(folder, COLUMNS) as writer:
        for piece in zip(learn, held_back, strict=True):
            writer.add(*piece)
    assert writer.rows["learn"] == sum(piece.label.size for piece in learn)
    assert writer.draws["held_back"] == sum(piece.group.size for piece in held_back)
    return map_split(folder, writer.tried)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_what_is_read_is_everything_that_was_written_in_its_order(tmp_path: Path, count: int) -> None:
    given = list(pieces(1, count)), list(pieces(2, count))
    found = written(tmp_path, *given)
    for part, expected in zip((found.learn, found.held_back), given, strict=True):
        none = Examples.none(COLUMNS)
        for name in ARRAYS:
            whole = np.concatenate([getattr(piece, name) for piece in (none, *expected)])
            array = getattr(part, name)
            assert array.dtype == whole.dtype
            assert np.array_equal(array, whole, equal_nan=True)
        assert part.tried == part.group.size + 2 * count


def test_readers_map_the_files_instead_of_copying_them(tmp_path: Path) -> None:
    found = written(tmp_path, list(pieces(1, 5)), list(pieces(2, 5)))
    assert isinstance(found.learn.features.base, np.memmap)
    assert isinstance(found.held_back.features.base, np.memmap)


def test_any_npy_reader_reads_the_files(tmp_path: Path) -> None:
    found = written(tmp_path, list(pieces(1, 5)), list(pieces(2, 5)))
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{part}_{name}.npy" for part in ("learn", "held_back") for name in ARRAYS
    }
    for name in ARRAYS:
        read = np.load(tmp_path / f"learn_{name}.npy", allow_pickle=False)
        assert np.array_equal(read, getattr(found.learn, name), equal_nan=True)


def test_examples_that_teach_nothing_are_refused_with_their_numbers() -> None:
    some, none = next(piece for piece in pieces(1, 9) if piece.group.size), Examples.none(COLUMNS)
    Split(some, some).require_draws()
    with pytest.raises(
        DataError, match=rf"Of 0 baskets to learn from 0, and of {some.tried} held back {some.group.size}"
    ):
        Split(none, some).require_draws()
    unreached = Examples(some.features, np.zeros_like(some.label), some.group, some.tried)
    with pytest.raises(DataError, match=rf"of {some.tried} held back 0, have a hidden product"):
        Split(some, unreached).require_draws()
