"""A bounded table of decayed purchase rates: how often, how lately and since when each key was bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.decay import DAY, decayed
from features.lookup import locate

Value = TypeVar("Value", bound=np.generic)

_PACKED = {"keys": "<i8", "count": "<i8", "rate": "<f8", "first_at": "<i8", "last_at": "<i8"}


@dataclass(frozen=True, slots=True)
class RateTable:
    """Purchases per key, one row a key, sorted by key.

    Attributes:
        keys: int64[n], ascending, distinct.
        count: int64[n], orders that held the key.
        rate: float64[n], decayed count as of `last_at` of the same row, so that the value at any later moment is
            a pure function of the row and the moment, whenever the row was written.
        first_at, last_at: int64[n], unix seconds of the first and the newest such order.
    """

    keys: NDArray[np.int64]
    count: NDArray[np.int64]
    rate: NDArray[np.float64]
    first_at: NDArray[np.int64]
    last_at: NDArray[np.int64]

    @classmethod
    def empty(cls) -> RateTable:
        """Return a table without rows."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none, np.empty(0, dtype=np.float64), none, none)

    def __len__(self) -> int:
        return int(self.keys.size)

    def pack(self) -> bytes:
        """Return the table as bytes: its five columns one after the other, 8 bytes a value, little-endian."""
        return b"".join(getattr(self, name).astype(kind, copy=False).tobytes() for name, kind in _PACKED.items())

    @classmethod
    def unpack(cls, packed: bytes) -> RateTable:
        """Return the table that `pack` made, its columns being views of one copy.

        Raises:
            ValueError: the bytes are no packed table.
        """
        rows, rest = divmod(len(packed), 8 * len(_PACKED))
        if rest:
            raise ValueError(f"{len(packed)} bytes are no whole number of rows")
        copy = bytearray(packed)  # kernels take arrays that look writable faster
        columns = [
            np.frombuffer(copy, dtype=kind, count=rows, offset=8 * rows * place)
            for place, kind in enumerate(_PACKED.values())
        ]
        return cls(*columns)

    def update(self, bought: NDArray[np.int64], at: int, half_life_days: float, limit: int) -> RateTable:
        """Return the table after one order.

        Args:
            bought: int64, distinct and ascending keys of the order.
            at: unix seconds of the order, not before any earlier update.
            half_life_days: decay of the rate.
            limit: most rows kept; the ones worth least at `at` are dropped (a later purchase starts them anew).
        """
        row = np.searchsorted(self.keys, bought)
        known = np.zeros(bought.size, dtype=bool)
        inside = row < self.keys.size
        known[inside] = self.keys[row[inside]] == bought[inside]
        seen, new = row[known], bought[~known]

        count, rate, last_at = self.count.copy(), self.rate.copy(), self.last_at.copy()
        count[seen] += 1
        rate[seen] = decayed(rate[seen], last_at[seen], at, half_life_days) + 1.0
        last_at[seen] = at

        if not new.size:
            return RateTable(self.keys, count, rate, self.first_at, last_at)._keep_most_worth(limit, half_life_days)
        # As np.insert would, but finding the gaps once for all columns: folding a history is mostly this.
        gaps = row[~known] + np.arange(new.size)
        old = np.ones(self.keys.size + new.size, dtype=bool)
        old[gaps] = False

        def widened(column: NDArray[Value], value: Any) -> NDArray[Value]:
            wide = np.empty(old.size, dtype=column.dtype)
            wide[old], wide[gaps] = column, value
            return wide

        table = RateTable(
            widened(self.keys, new),
            widened(count, 1),
            widened(rate, 1.0),
            widened(self.first_at, at),
            widened(last_at, at),
        )
        return table._keep_most_worth(limit, half_life_days)

    def at(self, now: float, half_life_days: float) -> NDArray[np.float64]:
        """Return float64[n], every row's decayed rate at `now` (unix seconds)."""
        return decayed(self.rate, self.last_at, now, half_life_days)

    def find(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Locate keys: (row, known), where `row` is only meaningful (but always valid to index) if `known`."""
        return locate(self.keys, keys)

    def _keep_most_worth(self, limit: int, half_life_days: float) -> RateTable:
        if len(self) <= limit:
            return self
        # log2 of the worth at any common moment, up to a constant: independent of "now", free of underflow.
        worth = np.log2(self.rate) + self.last_at / (half_life_days * DAY)
        keep = np.sort(np.lexsort((self.keys, -worth))[:limit])
        return RateTable(self.keys[keep], self.count[keep], self.rate[keep], self.first_at[keep], self.last_at[keep])
