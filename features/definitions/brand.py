"""The shopper's affinity to the candidate's brand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature, rate_columns


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    keys = context.products.catalogue.brand_keys[candidates]
    table = context.shopper.brands
    rates = table.at(context.now, context.products.features.repeat_half_life_days)
    rate, _, _, _ = rate_columns(table, rates, keys, context.now)
    return (rate,)


FEATURE = Feature(
    columns={"brand_rate": "decayed number of the shopper's orders with the brand; 0 if never or unknown"},
    reads=frozenset({"shopper", "products", "now"}),
    compute=_compute,
)
