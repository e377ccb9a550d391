"""How near the candidate lies to the cart and to the shopper's usual products, by the item vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature

NEAREST = 3


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    vectors = context.products.together.vectors
    mine = np.take(vectors, candidates, axis=0)
    profile, weight = context.usual
    usual: NDArray[Any] | float = 0.0
    near: NDArray[Any] = np.zeros(candidates.size)
    if profile.size:
        root = np.sqrt(weight).astype(np.float32)
        usual = mine @ (root @ np.take(vectors, profile, axis=0) / root.sum())
        near = context.products.together.cosine.sums(profile, weight)[candidates]
    if not context.cart.size:
        return (0.0, 0.0, 0.0, usual, near)
    like = mine @ np.take(vectors, context.cart, axis=0).T
    few = max(0, like.shape[1] - NEAREST)
    nearest = np.partition(like, few, axis=1)[:, few:]
    return (like.mean(axis=1), nearest.max(axis=1), nearest.mean(axis=1), usual, near)


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
