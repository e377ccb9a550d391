"""How strongly a candidate belongs with what is in the cart, by co-occurrence in past baskets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature, or_else


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    columns: list[NDArray[Any]] = []
    size = max(1, context.cart.size)
    for links in (context.cosine, context.confidence):
        row, known = links.find(candidates)
        if not links.partner.size:
            columns += [np.zeros(candidates.size)] * 4
            continue
        columns += [
            or_else(links.total[row], known, 0.0),
            or_else(links.total[row] / size, known, 0.0),
            or_else(links.strongest[row], known, 0.0),
            or_else(links.count[row] / size, known, 0.0),
        ]
    return columns


FEATURE = Feature(
    columns={
        f"{measure}_{name}": meaning.format(measure)
        for measure in ("cosine", "confidence")
        for name, meaning in {
            "sum": "{} with the cart's products, summed",
            "mean": "{} with the cart's products, mean over the cart",
            "max": "{} with the closest product of the cart",
            "coverage": "share of the cart's products that link to it by {}",
        }.items()
    },
    reads=frozenset({"cart", "products"}),
    compute=_compute,
)
