"""The shopper's affinity to the candidate's brand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature
from features.lookup import search


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    table = context.shopper.brands
    rates = table.at(context.now, context.products.features.repeat_half_life_days)
    return (_rate(table.keys, rates, context.products.catalogue.brand_keys, candidates),)


@compiled
def _rate(
    keys: NDArray[np.int64], rates: NDArray[np.float64], brand: NDArray[np.int64], candidates: NDArray[np.int32]
) -> NDArray[np.float32]:
    found = np.zeros(candidates.size, np.float32)
    for n in range(candidates.size):
        place = search(keys, brand[candidates[n]])
        if place >= 0:
            found[n] = rates[place]
    return found


FEATURE = Feature(
    columns={"brand_rate": "decayed number of the shopper's orders with the brand; 0 if never or unknown"},
    reads=frozenset({"shopper", "products", "now"}),
    compute=_compute,
)
