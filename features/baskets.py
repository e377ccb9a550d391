"""A bounded record of a shopper's newest baskets: what was bought together, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WORD = "<i8"


@dataclass(frozen=True, slots=True)
class RecentBaskets:
    """Newest baskets, oldest of them first.

    Attributes:
        at: int64[baskets], unix seconds, ascending.
        size: int64[baskets], products of each.
        products: int64[sum of size], product keys, basket by basket, ascending and distinct within one.
    """

    at: NDArray[np.int64]
    size: NDArray[np.int64]
    products: NDArray[np.int64]

    @classmethod
    def empty(cls) -> RecentBaskets:
        """Return a record without baskets."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none, none)

    def __len__(self) -> int:
        return int(self.at.size)

    def update(self, bought: NDArray[np.int64], at: int, limit: int) -> RecentBaskets:
        """Return the record after one order.

        Args:
            bought: int64, distinct and ascending product keys of the order.
            at: unix seconds of the order, not before any earlier update.
            limit: most products kept over all baskets; the oldest baskets go first, and a single basket that is
                larger is cut to its lowest keys.
        """
        size = np.append(self.size, min(bought.size, limit))
        kept = np.cumsum(size[::-1])[::-1] <= limit
        first = int(np.argmax(kept))
        dropped = int(size[:first].sum())
        products = np.concatenate([self.products[dropped:], bought[:limit]])
        return RecentBaskets(np.append(self.at, at)[first:], size[first:], products)

    def pack(self) -> bytes:
        """Return the record as bytes: number of baskets, then the three columns; 8 bytes a value, little-endian."""
        columns = (np.array([len(self)]), self.at, self.size, self.products)
        return b"".join(column.astype(_WORD, copy=False).tobytes() for column in columns)

    @classmethod
    def unpack(cls, packed: bytes) -> RecentBaskets:
        """Return the record that `pack` made, its columns being views of `packed`.

        Raises:
            ValueError: the bytes are no packed record.
        """
        if len(packed) < 8 or len(packed) % 8:
            raise ValueError(f"{len(packed)} bytes are no packed baskets")
        # A copy, since kernels take arrays that look writable faster.
        words = np.frombuffer(bytearray(packed), dtype=_WORD)
        baskets = int(words[0])
        at, size, products = words[1 : 1 + baskets], words[1 + baskets : 1 + 2 * baskets], words[1 + 2 * baskets :]
        if size.size != baskets or (size < 0).any() or int(size.sum()) != products.size:
            raise ValueError(f"{len(packed)} bytes do not hold the {baskets} baskets that they name")
        return cls(at, size, products)
