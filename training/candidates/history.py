"""Candidates from the shopper's own purchases, by decayed rate at the moment of the request."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.top import top_rows


def generate(context: Context, limit: int) -> NDArray[np.int32]:
    """Return up to `limit` product rows, int32; products that the catalogue no longer has are left out."""
    rows = context.product_rows[top_rows(context.product_rate, limit)]
    return rows[rows >= 0]
