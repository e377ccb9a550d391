"""The contract of a feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.decay import DAY

Reads = Literal["cart", "shopper", "products", "now"]

Columns = Sequence[NDArray[Any] | float] | NDArray[Any]
"""One float32-able array[n] or scalar per column, in order; or one array[columns, n]."""

Compute = Callable[[Context, NDArray[np.int32]], Columns]
"""(context, int32[n] candidates) → their columns."""


@dataclass(frozen=True)
class Feature:
    """A group of columns that are computed together.

    Attributes:
        columns: name → meaning, with unit; the order is the matrix's.
        reads: which parts of the context it looks at. The state behind `shopper`, and how an order changes it, is
            `features.shopper.ShopperState`; `products` is `features.products` and `features.cooccurrence`.
        compute: pure function of (context, candidates).
    """

    columns: Mapping[str, str]
    reads: frozenset[Reads]
    compute: Compute


SHORTEST_GAP_DAYS = 0.5
"""Floor of a mean gap below a quotient: twice on one day is no rhythm."""


@compiled
def rhythm(count: int, first_at: int, last_at: int, now: float) -> tuple[float, float, float]:
    """Return (days since the last purchase, mean days between purchases, days since over mean gap). For kernels.

    Below two purchases there is no gap, and the last two are NaN; near 1 it is due.

    Args:
        count: orders with it. first_at, last_at: of the first and newest one, unix seconds. now: likewise.
    """
    days = max(now - last_at, 0.0) / DAY
    if count < 2:
        return days, np.nan, np.nan
    gap = (last_at - first_at) / DAY / (count - 1)
    return days, gap, days / max(gap, SHORTEST_GAP_DAYS)
