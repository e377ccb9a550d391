"""Candidates bought together with the cart's products, by summed cosine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.top import top_rows


def generate(context: Context, limit: int) -> NDArray[np.int32]:
    """Return up to `limit` product rows, int32, the most strongly linked; some may lie in the cart."""
    links = context.cosine
    return links.partner[top_rows(links.total, limit)]
