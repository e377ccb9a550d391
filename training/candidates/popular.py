"""Candidates that sell most to anybody, as of the model's cutoff."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context


def generate(context: Context, limit: int) -> NDArray[np.int32]:
    """Return up to `limit` product rows, int32, most popular first; some may lie in the cart."""
    return context.products.by_popularity[:limit]
