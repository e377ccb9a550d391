"""One file a feature: its columns and their meaning, what state it reads, how it is computed for candidates.

Comes in: a `Context` and candidate rows. Goes out: one float32 matrix, the same code in training and serving.
Called by `training` (over history) and by the recommender in `serving`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions import (
    basket,
    brand,
    cart_affinity,
    cart_category,
    category,
    encoder,
    item_vectors,
    own_baskets,
    popularity,
    price,
    repeat,
)
from features.definitions.base import Feature

FEATURES: tuple[Feature, ...] = (
    cart_affinity.FEATURE,
    cart_category.FEATURE,
    repeat.FEATURE,
    own_baskets.FEATURE,
    item_vectors.FEATURE,
    encoder.FEATURE,
    category.FEATURE,
    brand.FEATURE,
    popularity.FEATURE,
    price.FEATURE,
    basket.FEATURE,
)
"""Every feature of the ranker, in the order of its columns."""


def columns_of(features: Sequence[Feature]) -> tuple[str, ...]:
    """Return the names of the columns that `features` make, in order."""
    return tuple(column for feature in features for column in feature.columns)


COLUMNS: tuple[str, ...] = columns_of(FEATURES)
"""Names of the matrix's columns: the schema a model package is checked against."""


def assemble(
    context: Context, candidates: NDArray[np.int32], features: Sequence[Feature] = FEATURES
) -> NDArray[np.float32]:
    """Return the feature matrix of candidates.

    Args:
        context: the request.
        candidates: int32[n], product rows.
        features: the ranker's own; others are for trying an idea before it is one of them.

    Returns:
        float32[n, columns of the features]; NaN means not known (never bought, no price).
    """
    # Filled column by column and turned once: faster than writing each column across all rows.
    columns = np.empty((sum(len(feature.columns) for feature in features), candidates.size), dtype=np.float32)
    column = 0
    for feature in features:
        found, first = feature.compute(context, candidates), column
        column += len(feature.columns)
        if isinstance(found, np.ndarray):
            columns[first:column] = found
        else:
            for place, values in zip(range(first, column), found, strict=True):
                columns[place] = values
    return np.ascontiguousarray(columns.T)


__all__ = ["COLUMNS", "FEATURES", "Feature", "assemble", "columns_of"]
