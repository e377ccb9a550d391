"""How much the candidate sells to anybody, and whether that is rising."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    stats, leaf = context.products.stats, context.products.catalogue.levels.leaf[candidates]
    popularity = stats.popularity[candidates]
    return (
        np.log1p(popularity),
        stats.trend[candidates],
        stats.days_since_sold[candidates],
        np.log1p(context.products.orders_lately[candidates]),
        np.log1p(stats.orders[candidates]),
        popularity / (context.products.category_popularity[leaf] + 1.0),
    )


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
