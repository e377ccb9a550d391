"""The best few of many, deterministically."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled

BLOCK = 64
FEW, MANY = 64, 4096
"""So many wanted of so many scores are found faster one by one than by a partition."""


def top_rows(scores: NDArray[Any], limit: int) -> NDArray[np.intp]:
    """Return the positions of the `limit` highest scores, best first; of equal scores the earlier wins.

    Args:
        scores: [n], finite.
        limit: at most so many positions are returned.
    """
    if limit <= 0:
        return np.empty(0, dtype=np.intp)
    if limit <= FEW and scores.size <= MANY and scores.dtype.kind == "f" and scores.flags.c_contiguous:
        return _first(scores, limit)
    # Everything at or above the border: ties with it stay in, so the choice among them is stable.
    kept = np.flatnonzero(scores >= border(scores, limit)) if scores.size > limit else np.arange(scores.size)
    return kept[np.argsort(-scores[kept], kind="stable")][:limit]


@compiled
def _first(scores: NDArray[Any], limit: int) -> NDArray[np.intp]:
    """Return the same by insertion: of few wanted, almost no score comes before the last one kept."""
    best = np.empty(min(limit, scores.size), np.intp)
    kept = 0
    for n in range(scores.size):
        if kept < best.size:
            kept += 1
        elif not scores[n] > scores[best[kept - 1]]:
            continue
        place = kept - 1
        while place > 0 and scores[best[place - 1]] < scores[n]:
            best[place] = best[place - 1]
            place -= 1
        best[place] = n
    return best


def border(scores: NDArray[Any], limit: int) -> Any:
    """Return a value that at least `limit` of the scores, which are more, reach; of many scores not many more do."""
    blocks = scores.size // BLOCK
    if blocks > 2 * limit:
        # So many blocks have a maximum at or above it, each in another score; one pass is faster than partitioning.
        return border(scores[: blocks * BLOCK].reshape(blocks, BLOCK).max(axis=1), limit)
    return np.partition(scores, scores.size - limit)[scores.size - limit]
