"""The best few of many, deterministically."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def top_rows(scores: NDArray[Any], limit: int) -> NDArray[np.intp]:
    """Return the positions of the `limit` highest scores, best first; of equal scores the earlier wins.

    Args:
        scores: [n], finite.
        limit: at most so many positions are returned.
    """
    if limit <= 0:
        return np.empty(0, dtype=np.intp)
    if scores.size > limit:
        # Everything at or above the limit-th score: ties at the border stay in, so the choice among them is stable.
        border = np.partition(scores, scores.size - limit)[scores.size - limit]
        kept = np.flatnonzero(scores >= border)
    else:
        kept = np.arange(scores.size)
    return kept[np.argsort(-scores[kept], kind="stable")][:limit]
