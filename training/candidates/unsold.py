"""Candidates that nobody has bought yet: nearest to the request by what the catalogue says of them.

A product without orders has the vector of its category, parent category and brand; co-occurrence, history and
popularity never find it, so that without these few candidates it could never be shown, and never sell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from training.candidates.neural import nearest


def generate(context: Context, limit: int) -> NDArray[np.int32]:
    """Return up to `limit` product rows, int32, nearest first. None without an encoder."""
    encoder = context.products.encoder
    return nearest(None if encoder is None else encoder.unsold_pool, context, limit)
