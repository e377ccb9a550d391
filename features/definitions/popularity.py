"""How much the candidate sells to anybody, and whether that is rising."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    stats = context.products.stats
    return (
        np.log1p(stats.popularity[candidates]),
        stats.trend[candidates],
        stats.days_since_sold[candidates],
    )


FEATURE = Feature(
    columns={
        "popularity": "log(1 + decayed orders of anybody), as of the model's cutoff",
        "trend": "fast over slow order rate, as of the model's cutoff; NaN if never sold",
        "days_since_sold": "days since anybody bought it, as of the model's cutoff; NaN if never",
    },
    reads=frozenset({"products"}),
    compute=_compute,
)
