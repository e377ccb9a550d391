"""Stable 63-bit keys for products, categories and brands, so that state outlives any one model's numbering.

A shopper's state names products by these keys; a model package carries the same keys beside its own row numbers.
Nothing has to be looked up in a shared vocabulary, and re-training with a new catalogue invalidates no state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from configs.errors import DataError


def stable_key(name: str) -> int:
    """Return the key of a name: the first 8 bytes of its BLAKE2b digest, little-endian, less the sign bit."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") & 0x7FFF_FFFF_FFFF_FFFF


def stable_keys(names: Iterable[str]) -> NDArray[np.int64]:
    """Return the keys of many names, int64 in their order."""
    return np.fromiter((stable_key(name) for name in names), dtype=np.int64)


def repeated_keys(names: Iterable[str], unknown: str | None = None) -> NDArray[np.int64]:
    """Return the keys of names that repeat, each worked out once, int64 in their order; 0 for the name `unknown`."""
    known = {} if unknown is None else {unknown: 0}
    return np.fromiter(
        (known[name] if name in known else known.setdefault(name, stable_key(name)) for name in names), dtype=np.int64
    )


def distinct_keys(names: Sequence[str]) -> NDArray[np.int64]:
    """Return the keys of distinct names.

    Raises:
        DataError: two names share a key (odds of about 5 in 10^8 for a million names).
    """
    keys = stable_keys(names)
    order = np.argsort(keys, kind="stable")
    clash = np.flatnonzero(np.diff(keys[order]) == 0)
    if clash.size:
        first, second = names[order[clash[0]]], names[order[clash[0] + 1]]
        raise DataError(f"Ids {first!r} and {second!r} collide in their 63-bit key; rename one of them.")
    return keys
