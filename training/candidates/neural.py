"""Candidates whose vectors lie nearest to the request's: exact search over the encoder's pool of lively products.

One pass over the rounded vectors misses none (`features.pool`), so a package needs no index; `python -m
benchmarks.candidates` prints what that costs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.pool import Pool


def generate(context: Context, limit: int) -> NDArray[np.int32]:
    """Return up to `limit` product rows, int32, nearest first; some may lie in the cart. None without an encoder."""
    encoder = context.products.encoder
    return nearest(None if encoder is None else encoder.lively_pool, context, limit)


def nearest(pool: Pool | None, context: Context, limit: int) -> NDArray[np.int32]:
    """Return up to `limit` product rows of a pool, int32, nearest to the request first."""
    return np.empty(0, dtype=np.int32) if pool is None else pool.nearest(context.encoded, limit)
