"""How well the candidate's category and brand go with those in the cart: complements rather than single products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Feature
from features.lookup import distinct, locate

UNCOMMON = 1e-3
"""Share of orders added below the lift, so that a category seen once does not lift to the sky."""


def _compute(context: Context, candidates: NDArray[np.int32]) -> Sequence[NDArray[Any] | float]:
    levels, together = context.products.catalogue.levels, context.products.together
    cart = context.cart
    leaf, parent, department = (level[candidates] for level in (levels.leaf, levels.parent, levels.department))
    given_leaf = together.leaf.given(distinct(levels.leaf[cart]))[leaf]
    given_parent = together.parent.given(distinct(levels.parent[cart]))[parent]
    brands = context.products.catalogue.brand_keys
    brand = brands[candidates]
    in_cart = locate(distinct(brands[cart]), brand)[1] & (brand != 0)
    return (
        given_leaf,
        given_leaf / (together.leaf.share[leaf] + UNCOMMON),
        given_parent,
        given_parent / (together.parent.share[parent] + UNCOMMON),
        np.bincount(levels.parent[cart], minlength=together.parent.share.size)[parent],
        np.bincount(levels.department[cart], minlength=levels.departments)[department] / max(1, cart.size),
        in_cart,
    )


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
