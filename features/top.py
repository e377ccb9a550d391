"""The best few of many, deterministically."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 64


def top_rows(scores: NDArray[Any], limit: int) -> NDArray[np.intp]:
    """Return the positions of the `limit` highest scores, best first; of equal scores the earlier wins.

    Args:
        scores: [n], finite.
        limit: at most so many positions are returned.
    """
    if limit <= 0:
        return np.empty(0, dtype=np.intp)
    # Everything at or above the border: ties with it stay in, so the choice among them is stable.
    kept = np.flatnonzero(scores >= border(scores, limit)) if scores.size > limit else np.arange(scores.size)
    return kept[np.argsort(-scores[kept], kind="stable")][:limit]


def border(scores: NDArray[Any], limit: int) -> Any:
    """Return a value that at least `limit` of more scores reach, and of many scores not many more."""
    blocks = scores.size // BLOCK
    if blocks > 2 * limit:
        # So many blocks have a maximum at or above it, each in another score; one pass is faster than partitioning.
        return border(scores[: blocks * BLOCK].reshape(blocks, BLOCK).max(axis=1), limit)
    return np.partition(scores, scores.size - limit)[scores.size - limit]
