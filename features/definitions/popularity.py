"""How much the candidate sells to anybody, and whether that is rising."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    products = context.products
    stats, leaf = products.stats, products.catalogue.levels.leaf
    counts = (stats.popularity, products.orders_lately, stats.orders)
    return _columns(*counts, stats.trend, stats.days_since_sold, leaf, products.category_popularity, candidates)


@compiled
def _columns(
    popularity: NDArray[np.float32],
    lately: NDArray[np.float32],
    ever: NDArray[np.float32],
    trend: NDArray[np.float32],
    days_since_sold: NDArray[np.float32],
    leaf: NDArray[np.int32],
    category_popularity: NDArray[np.float32],
    candidates: NDArray[np.int32],
) -> NDArray[np.float32]:
    columns = np.empty((6, candidates.size), np.float32)
    for n in range(candidates.size):
        row = candidates[n]
        columns[0, n] = np.log1p(popularity[row])
        columns[1, n], columns[2, n] = trend[row], days_since_sold[row]
        columns[3, n], columns[4, n] = np.log1p(lately[row]), np.log1p(ever[row])
        columns[5, n] = popularity[row] / (category_popularity[leaf[row]] + 1.0)
    return columns


FEATURE = Feature(
    columns={
        "popularity": "log(1 + decayed orders of anybody), as of the model's cutoff",
        "trend": "fast over slow order rate, as of the model's cutoff; NaN if never sold",
        "days_since_sold": "days since anybody bought it, as of the model's cutoff; NaN if never",
        "popularity_lately": "log(1 + orders of anybody, decayed fast), as of the model's cutoff",
        "popularity_ever": "log(1 + orders of anybody), as of the model's cutoff",
        "popularity_in_category": "share of its leaf category's decayed orders",
    },
    reads=frozenset({"products"}),
    compute=_compute,
)
