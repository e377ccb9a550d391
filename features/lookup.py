"""Finding many values in a sorted array at once."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled

Number = TypeVar("Number", bound=np.integer)


def locate(known: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where `wanted` values lie in the ascending distinct `known`: (position, found), each [wanted].

    A position is meaningful only where found; it is valid to index unless `known` is empty.
    """
    if not known.size:
        return np.zeros(wanted.size, dtype=np.intp), np.zeros(wanted.size, dtype=bool)
    position = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return position, known[position] == wanted


@compiled
def _search(known: NDArray[Any], wanted: int, low: int, high: int) -> int:
    """Return where a value lies among those from `low` to before `high`; -1 if it does not."""
    end = high
    while low < high:
        middle = (low + high) // 2
        if known[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < end and known[low] == wanted else -1


class KeyIndex:
    """Finds many keys among very many at once, in a fraction of a binary search's time, which misses the cache.

    Keys are digests, so their highest bits tell where they lie among the sorted ones, to within a few places.

    Attributes:
        keys: int64[n], ascending. order: int32[n], the place of each where they came from.
        start: int32[buckets + 1], where the keys of each bucket begin, that is of each value of their highest bits.
    """

    def __init__(self, keys: NDArray[np.int64], order: NDArray[np.int32], start: NDArray[np.int32]) -> None:
        self.keys, self.order, self.start = keys, order, start
        self._shift, self._half = _buckets(keys.size)

    @classmethod
    def of(cls, keys: NDArray[np.int64]) -> KeyIndex:
        """Return the index of int64[n] distinct keys in any order."""
        order = np.argsort(keys).astype(np.int32)
        shift, half = _buckets(keys.size)
        bucket = (keys[order] >> shift) + half
        return cls(keys[order], order, np.searchsorted(bucket, np.arange(2 * half + 1)).astype(np.int32))

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the place of each among the index's keys, int32[keys]; -1 where it has no such."""
        return _find(keys, self.keys, self.order, self.start, self._shift, self._half)

    def find_one(self, key: int) -> int:
        """Return the place of one key; -1 if the index has no such."""
        bucket = (key >> self._shift) + self._half
        low, high = int(self.start[bucket]), int(self.start[bucket + 1])
        place = low + int(np.searchsorted(self.keys[low:high], key))
        return int(self.order[place]) if place < high and self.keys[place] == key else -1


def _buckets(size: int) -> tuple[int, int]:
    """Return by how many bits a key is shifted to its bucket, and what is then added: half the number of buckets."""
    bits = max(1, size.bit_length())
    return 64 - bits, 1 << (bits - 1)


@compiled
def _find(
    wanted: NDArray[np.int64],
    known: NDArray[np.int64],
    order: NDArray[np.int32],
    start: NDArray[np.int32],
    shift: int,
    half: int,
) -> NDArray[np.int32]:
    found = np.full(wanted.size, -1, dtype=np.int32)
    for n in range(wanted.size):
        bucket = (wanted[n] >> shift) + half
        place = _search(known, wanted[n], start[bucket], start[bucket + 1])
        if place >= 0:
            found[n] = order[place]
    return found


@compiled
def search(known: NDArray[Any], wanted: int) -> int:
    """Return where a value lies in the ascending distinct `known`; -1 if it does not. For kernels and single values."""
    return _search(known, wanted, 0, known.size)


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Return the values ascending, each once; for short arrays several times faster than `np.unique`."""
    ordered = np.sort(values)
    first = np.ones(ordered.size, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]
