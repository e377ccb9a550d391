"""The contract of a feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.rates import RateTable

Reads = Literal["cart", "shopper", "products", "now"]

Compute = Callable[[Context, NDArray[np.int32]], Sequence[NDArray[Any] | float]]
"""(context, int32[n] candidates) → one float32-able array[n] or scalar per column, in order."""


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


def or_else(values: NDArray[Any], known: NDArray[np.bool_], missing: float) -> NDArray[Any]:
    """Return `values` where known, else `missing`."""
    return np.where(known, values, missing)


def rate_columns(
    table: RateTable, rate: NDArray[np.float64], keys: NDArray[np.int64], now: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Return for each key (rate now, days since, known, row): rate 0 and days NaN where the key is unknown.

    `rate` is what the table's rows are worth now.
    """
    row, known = table.find(keys)
    if not len(table):
        return np.zeros(keys.size), np.full(keys.size, np.nan), known, row
    found = or_else(rate[row], known, 0.0)
    days = or_else(np.maximum(now - table.last_at[row], 0) / 86_400, known, np.nan)
    return found, days, known, row


SHORTEST_GAP_DAYS = 0.5
"""Floor of a mean gap below a quotient: twice on one day is no rhythm."""


def gap_days(table: RateTable, row: NDArray[np.intp], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean days between purchases of each key, as `rate_columns` located them; NaN below two.

    The table must hold at least one row.
    """
    count = table.count[row]
    gap = (table.last_at[row] - table.first_at[row]) / 86_400 / np.maximum(count - 1, 1)
    return or_else(gap, known & (count > 1), np.nan)
