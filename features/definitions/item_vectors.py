"""How near the candidate lies to the cart and to the shopper's usual products, by the item vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature

NEAREST = 3


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    products = context.products
    vectors = products.together.vectors
    mine = np.take(vectors, candidates, axis=0)
    profile, weight = context.usual
    usual: NDArray[Any] | float = 0.0
    near: NDArray[Any] | float = 0.0
    if profile.size:
        root = np.sqrt(weight).astype(np.float32)
        usual = mine @ (root @ np.take(vectors, profile, axis=0) / root.sum())
        near = products.together.cosine.sums(profile, weight, candidates, products.slot)
    if not context.cart.size:
        return (0.0, 0.0, 0.0, usual, near)
    return (*_nearest(mine @ np.take(vectors, context.cart, axis=0).T), usual, near)


@compiled
def _nearest(like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32[3, candidates]: mean, maximum and mean of the nearest, of float32[candidates, cart]."""
    columns = np.empty((3, like.shape[0]), np.float32)
    few = min(NEAREST, like.shape[1])
    best = np.empty(few, np.float32)
    for n in range(like.shape[0]):
        best[:] = -np.inf
        total = 0.0
        for value in like[n]:
            total += value
            place = few - 1
            if value > best[place]:
                while place > 0 and best[place - 1] < value:
                    best[place] = best[place - 1]
                    place -= 1
                best[place] = value
        columns[0, n], columns[1, n], columns[2, n] = total / like.shape[1], best[0], best.mean()
    return columns


FEATURE = Feature(
    columns={
        "vector_cart_mean": "cosine of the item vectors of candidate and cart product, mean over the cart",
        "vector_cart_max": "the same, of the cart product nearest to the candidate",
        "vector_cart_nearest": "the same, mean over the three nearest cart products",
        "vector_usual": "inner product with the mean vector of what the shopper usually buys",
        "usual_cosine": "co-occurrence cosine to the shopper's products, weighted by their decayed orders, summed",
    },
    reads=frozenset({"cart", "shopper", "products", "now"}),
    compute=_compute,
)
