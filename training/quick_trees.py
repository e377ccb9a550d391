"""The LightGBM ranker for a few dozen rows: every split is tried for all rows at once, without a branch.

A tree is a word with one bit a leaf. A split that a row fails, going right, clears the bits of the leaves to its left;
the lowest bit that is left names the leaf. So splits may be tried in any order and none depends on another, and the
processor takes eight or sixteen rows at a time, where walking down a tree waits for every step. The same float32
thresholds, leaves and order of sums as in `training.trees`, so the same scores to the last bit.

Source: QuickScorer (Lucchese et al. 2015, SIGIR), by rows side by side (Lucchese et al. 2016, SIGIR).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled

MOST_LEAVES = 64
ROWS = 64
"""Scored at a time, so that the bits of one tree for all of them stay in the first cache."""

_BRUIJN, _SHIFT = 0x03F79D71B4CB0A89, 58
"""A de Bruijn sequence: times a power of two, its highest six bits tell which (Leiserson, Prokop and Randall 1998)."""
_PLACE = np.zeros(64, dtype=np.int32)
for _bit in range(64):
    _PLACE[((_BRUIJN << _bit) & (2**64 - 1)) >> _SHIFT] = _bit


@dataclass(frozen=True)
class QuickTrees:
    """Trees, the splits of all of them one after the other; of each tree first those that send an unknown value left.

    Attributes:
        column: int32[splits]. threshold: float32[splits], the largest value that goes left.
        keeps: uint64[splits], the leaves that are left to a row that goes right.
        start: int32[trees + 1], splits of each tree. right: int32[trees], the first of them that sends unknown values
            right. first_leaf: int32[trees]. leaf: float32[leaves].
    """

    column: NDArray[np.int32]
    threshold: NDArray[np.float32]
    keeps: NDArray[np.uint64]
    start: NDArray[np.int32]
    right: NDArray[np.int32]
    first_leaf: NDArray[np.int32]
    leaf: NDArray[np.float32]

    @classmethod
    def of(cls, text: str) -> QuickTrees | None:
        """Return the trees of a LightGBM model's text; None if they are such as we never grow: too large for a word.

        Raises:
            ValueError: they split by categories, or take zero for unknown, which ours never do.
        """
        trees = list(_trees(text))
        if any(len(tree["leaf_value"]) > MOST_LEAVES for tree in trees):
            return None
        splits, start, right, first_leaf, leaf = _Splits(), [0], [], [0], list[float]()
        for tree in trees:
            right.append(splits.add(tree))
            start.append(len(splits.column))
            leaf += map(float, tree["leaf_value"])
            first_leaf.append(len(leaf))
        return cls(
            np.array(splits.column, np.int32),
            np.array(splits.threshold, np.float32),
            np.array(splits.keeps, np.uint64),
            np.array(start, np.int32),
            np.array(right, np.int32),
            np.array(first_leaf[:-1], np.int32),
            np.array(leaf, np.float32),
        )

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64[rows] of float32[rows, columns], NaN being unknown: the higher, the better the candidate."""
        found = np.empty(features.shape[0], dtype=np.float32)
        for first in range(0, found.size, ROWS):
            values = np.ascontiguousarray(features[first : first + ROWS].T)
            _score(
                values,
                self.column,
                self.threshold,
                self.keeps,
                self.start,
                self.right,
                self.first_leaf,
                self.leaf,
                _PLACE,
                found[first : first + ROWS],
            )
        return found.astype(np.float64)


class _Splits:
    """The splits of trees as they are added."""

    def __init__(self) -> None:
        self.column: list[int] = []
        self.threshold: list[float] = []
        self.keeps: list[int] = []

    def add(self, tree: dict[str, list[str]]) -> int:
        """Add a tree's splits, and return the place of the first that sends unknown values right."""
        order, below = _leaves(tree)
        place = {number: bit for bit, number in enumerate(order)}
        found = []
        for split, left in below.items():
            column, threshold, unknown_left = _split(tree, split)
            cleared = sum(1 << place[number] for number in left)
            found.append((not unknown_left, column, threshold, (2**64 - 1) & ~cleared))
        found.sort(key=lambda one: one[0])
        tree["leaf_value"] = [tree["leaf_value"][number] for number in order]
        first = len(self.column)
        for _, column, threshold, keeps in found:
            self.column.append(column)
            self.threshold.append(threshold)
            self.keeps.append(keeps)
        return first + sum(not goes_right for goes_right, *_ in found)


def _trees(text: str) -> Iterator[dict[str, list[str]]]:
    """Yield what the text says of each tree: name → values."""
    body = text.partition("\nend of trees")[0]
    for part in body.split("\nTree=")[1:]:
        lines = (line.partition("=") for line in part.splitlines()[1:])
        yield {name: values.split() for name, _, values in lines if name}


def _leaves(tree: dict[str, list[str]]) -> tuple[list[int], dict[int, list[int]]]:
    """Return a tree's leaves from left to right, and of each split those to its left."""
    left, right = ([int(child) for child in tree.get(side, ())] for side in ("left_child", "right_child"))
    below: dict[int, list[int]] = {}

    def under(child: int) -> list[int]:
        if child < 0:
            return [~child]
        below[child] = under(left[child])
        return below[child] + under(right[child])

    return (under(0) if left else [0]), below


def _split(tree: dict[str, list[str]], split: int) -> tuple[int, float, bool]:
    """Return (column, largest float32 that goes left, whether an unknown value does)."""
    kind, threshold = int(tree["decision_type"][split]), float(tree["threshold"][split])
    categories, missing = kind & 1, kind >> 2 & 3
    if categories or missing == 1:
        raise ValueError(f"Found a split of the kind {kind}, expected one by '<=' with NaN or None for unknown.")
    # Without unknown values in training, LightGBM takes one for zero.
    left = bool(kind & 2) if missing == 2 else threshold >= 0
    return int(tree["split_feature"][split]), not_above(threshold), left


def not_above(value: float) -> float:
    """Return the largest float32 not above `value`: features are float32, so that the split is the same."""
    limits = np.finfo(np.float32)
    single = np.float32(np.clip(value, limits.min, limits.max))
    return float(single) if float(single) <= value else float(np.nextafter(single, limits.min))


@compiled
def _score(
    values: NDArray[np.float32],
    column: NDArray[np.int32],
    threshold: NDArray[np.float32],
    keeps: NDArray[np.uint64],
    start: NDArray[np.int32],
    right: NDArray[np.int32],
    first_leaf: NDArray[np.int32],
    leaf: NDArray[np.float32],
    place: NDArray[np.int32],
    found: NDArray[np.float32],
) -> None:
    rows, everything = values.shape[1], np.uint64(0xFFFFFFFFFFFFFFFF)
    bits = np.empty(rows, np.uint64)
    found[:] = 0.0
    for tree in range(right.size):
        bits[:] = everything
        for split in range(start[tree], right[tree]):
            least, kept, own = threshold[split], keeps[split], values[column[split]]
            for row in range(rows):
                bits[row] &= kept if own[row] > least else everything
        for split in range(right[tree], start[tree + 1]):
            least, kept, own = threshold[split], keeps[split], values[column[split]]
            for row in range(rows):
                bits[row] &= everything if own[row] <= least else kept
        for row in range(rows):
            lowest = bits[row] & (~bits[row] + np.uint64(1))
            number = place[(lowest * np.uint64(_BRUIJN)) >> np.uint64(_SHIFT)]
            found[row] += leaf[first_leaf[tree] + number]
