"""Finding many values in a sorted array at once."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

MOST_PROBES = 16
Number = TypeVar("Number", bound=np.integer)


def locate(known: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where `wanted` values lie in the ascending distinct `known`: (position, found), each [wanted].

    A position is meaningful only where found; it is valid to index unless `known` is empty.
    """
    if not known.size:
        return np.zeros(wanted.size, dtype=np.intp), np.zeros(wanted.size, dtype=bool)
    position = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return position, known[position] == wanted


class KeyIndex:
    """Finds many of millions of keys at once: about three times as fast as a binary search, which misses the cache.

    The highest bits of a key tell where it would lie in the sorted keys, as keys are digests; from there on, every
    place up to the longest run of equal bits is looked at. With keys that are not spread evenly, a binary search is used.

    Args:
        keys: int64[n], distinct, any order.
    """

    def __init__(self, keys: NDArray[np.int64]) -> None:
        self._order = np.argsort(keys).astype(np.int32)
        ordered = keys[self._order]
        bits = max(1, int(keys.size).bit_length())
        self._shift = np.int64(64 - bits)
        bucket = self._bucket(ordered)
        self._start = np.searchsorted(bucket, np.arange(1 << bits)).astype(np.int32)
        self._probes = int(np.bincount(bucket).max(initial=0))
        # No probe leaves the array; the padding repeats the last key, so that it finds nothing new.
        self._keys = np.append(ordered, np.repeat(ordered[-1:], self._probes))

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the place of each among the index's keys, int32[keys]; -1 where it has no such."""
        size = self._order.size
        if not size:
            return np.full(keys.size, -1, dtype=np.int32)
        if self._probes > MOST_PROBES:
            place, known = locate(self._keys[:size], keys)
            return np.where(known, self._order[place], np.int32(-1))
        place = self._start[self._bucket(keys)]
        for _ in range(self._probes - 1):
            place += self._keys[place] < keys
        place = np.minimum(place, size - 1)
        return np.where(self._keys[place] == keys, self._order[place], np.int32(-1))

    def _bucket(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        half = np.int64(1) << (63 - self._shift)
        buckets: NDArray[np.int64] = (keys >> self._shift) + half
        return buckets


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Return the values ascending, each once; for short arrays several times faster than `np.unique`."""
    ordered = np.sort(values)
    return ordered[starts(ordered)]


def starts(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Return bool[n], whether a value of an ascending array is the first of its kind."""
    first = np.ones(ordered.size, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first
