"""Candidates from what the session did lately: the products themselves, and what is bought together with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context, link
from features.top import top_rows


def generate(context: Context, limit: int) -> NDArray[np.int32]:
    """Return up to `limit` product rows, int32, distinct; some may lie in the cart. None without recent activity.

    Half of them, at most, are the products that something happened to last; the rest are linked to those by cosine.
    """
    if not context.activity.rows.size:
        return np.empty(0, dtype=np.int32)
    own = context.activity.newest_first[: (limit + 1) // 2]
    links = link(context.products.together.cosine, np.sort(own), context.products.slot)
    new = ~np.isin(links.partner, own)
    partners = links.partner[new][top_rows(links.total[new], limit - own.size)]
    return np.concatenate([own, partners])
