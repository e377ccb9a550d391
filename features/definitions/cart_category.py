"""How well the candidate's category and brand go with those in the cart: complements rather than single products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.context import Context
from features.definitions.base import Columns, Feature
from features.lookup import distinct

UNCOMMON = 1e-3
"""Share of orders added below the lift, so that a category seen once does not lift to the sky."""


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    catalogue, together, cart = context.products.catalogue, context.products.together, context.cart
    levels = catalogue.levels
    return _columns(
        levels.leaf,
        together.leaf.given(distinct(levels.leaf[cart])),
        together.leaf.share,
        levels.parent,
        together.parent.given(distinct(levels.parent[cart])),
        together.parent.share,
        levels.department,
        catalogue.brand_keys,
        cart,
        candidates,
    )


@compiled
def _columns(
    leaf: NDArray[np.int32],
    given_leaf: NDArray[np.float32],
    leaf_share: NDArray[np.float32],
    parent: NDArray[np.int32],
    given_parent: NDArray[np.float32],
    parent_share: NDArray[np.float32],
    department: NDArray[np.int32],
    brand: NDArray[np.int64],
    cart: NDArray[np.int32],
    candidates: NDArray[np.int32],
) -> NDArray[np.float32]:
    columns = np.zeros((7, candidates.size), np.float32)
    for n in range(candidates.size):
        row = candidates[n]
        columns[0, n] = given_leaf[leaf[row]]
        columns[1, n] = given_leaf[leaf[row]] / (leaf_share[leaf[row]] + UNCOMMON)
        columns[2, n] = given_parent[parent[row]]
        columns[3, n] = given_parent[parent[row]] / (parent_share[parent[row]] + UNCOMMON)
        for other in cart:
            columns[4, n] += parent[other] == parent[row]
            columns[5, n] += department[other] == department[row]
            if brand[row] != 0 and brand[other] == brand[row]:
                columns[6, n] = 1.0
        columns[5, n] /= max(1, cart.size)
    return columns


FEATURE = Feature(
    columns={
        "category_given_cart": "confidence of the candidate's category, mean over the cart's categories",
        "category_lift": "the same over the share of all orders that hold the category: above 1 goes with the cart",
        "parent_given_cart": "confidence of the candidate's parent category, mean over the cart's",
        "parent_lift": "the same over the share of all orders that hold the parent category",
        "parent_in_cart": "products of the cart in the same parent category",
        "department_in_cart": "share of the cart's products in the same department",
        "brand_in_cart": "1 if the cart holds a product of the same known brand",
    },
    reads=frozenset({"cart", "products"}),
    compute=_compute,
)
