"""What a session did lately, as arrays of product rows: views, and changes of the cart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["view", "add", "remove"]
Action = tuple[str, float, Kind]
"""(product id, unix seconds, what happened to it)."""

KINDS: tuple[Kind, ...] = ("view", "add", "remove")
"""What `RecentActivity.kind` counts from 0."""


@dataclass(frozen=True, slots=True)
class RecentActivity:
    """Actions, oldest first; of one moment in order of row, so that equal sets of actions make equal arrays.

    Attributes:
        rows: int32[n], product rows. at: float64[n], unix seconds. kind: int8[n], place in `KINDS`.
    """

    rows: NDArray[np.int32]
    at: NDArray[np.float64]
    kind: NDArray[np.int8]

    @classmethod
    def of(cls, actions: Iterable[Action], row_of: Mapping[str, int], most: int) -> RecentActivity:
        """Return the newest `most` of the actions on known products.

        Args:
            actions: in any order. row_of: row of each known product id. most: at least 1.
        """
        told = ((at, row_of.get(product), KINDS.index(kind)) for product, at, kind in actions)
        found = [(at, row, kind) for at, row, kind in told if row is not None]
        if not found:
            return NOTHING
        at, rows, kinds = zip(*sorted(found)[-most:], strict=True)
        return cls(np.array(rows, np.int32), np.array(at, np.float64), np.array(kinds, np.int8))

    @property
    def newest_first(self) -> NDArray[np.int32]:
        """int32, the distinct products, the one that something happened to last coming first."""
        rows, last = np.unique(self.rows[::-1], return_index=True)
        return rows[np.argsort(last)]


NOTHING = RecentActivity(np.empty(0, np.int32), np.empty(0, np.float64), np.empty(0, np.int8))
"""No activity is known."""
