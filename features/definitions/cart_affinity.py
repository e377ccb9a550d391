"""How strongly a candidate belongs with what is in the cart, by co-occurrence in past baskets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context, Links
from features.definitions.base import Columns, Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    columns = [_columns(links, context, candidates) for links in (context.cosine, context.confidence)]
    return np.concatenate(columns)


def _columns(links: Links, context: Context, candidates: NDArray[np.int32]) -> NDArray[np.float32]:
    size = max(1, context.cart.size)
    slot = context.products.slot
    return _of_links(links.partner, links.total, links.strongest, links.count, size, candidates, slot)


@compiled
def _of_links(
    partner: NDArray[np.int32],
    total: NDArray[np.float32],
    strongest: NDArray[np.float32],
    count: NDArray[np.int32],
    size: int,
    candidates: NDArray[np.int32],
    slot: NDArray[np.int32],
) -> NDArray[np.float32]:
    columns = np.zeros((4, candidates.size), np.float32)
    for place in range(partner.size):
        slot[partner[place]] = place + 1
    for n in range(candidates.size):
        place = slot[candidates[n]] - 1
        if place >= 0:
            columns[0, n], columns[1, n] = total[place], total[place] / size
            columns[2, n], columns[3, n] = strongest[place], count[place] / size
    for linked in partner:
        slot[linked] = 0
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
