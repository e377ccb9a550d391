"""Whether logged features mean what those of baskets mean.

The names of columns say which features they are, not what made them. A served model's product side, and its encoder
above all, is another one than that of a training fold. The folds' own encoders differ in the same way: each goes on
from the last one and learns log-odds by the same loss, so that one column may hold the scores of several. What may not
be is another scale: an encoder of another kind, a broken pipeline. Where it is gross it shows in values far outside of
what baskets have, and a model whose exposures have many of them is not learned from; finer drift is for monitoring.

To compute the column anew would need each shopper's state and session as they were; then features would not be exactly
as scored any more. To blank it would have the rankers learn that what it tells does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.definitions import COLUMNS
from training.feedback.shown import Exposures


def strange_versions(exposures: Exposures, baskets: NDArray[np.float32], most: float) -> dict[str, str]:
    """Return by model version the column that lies too often outside of what baskets show, for versions that have one.

    Args:
        exposures: what was shown. baskets: float32[rows, columns] to compare with. most: share that may lie outside.
    """
    low, high = np.fmin.reduce(baskets, axis=0), np.fmax.reduce(baskets, axis=0)
    # As wide again on either side: a first visit, or the very best of all candidates, is nothing strange.
    spread = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    outside = (exposures.features < low - spread) | (exposures.features > high + spread) | np.isinf(exposures.features)
    outside |= np.isnan(low) & ~np.isnan(exposures.features)  # no basket knows a value
    names, version = np.unique(exposures.versions, return_inverse=True)
    row_version = version[exposures.exposure]
    rows = np.maximum(np.bincount(row_version, minlength=names.size), 1)
    found = {}
    for number, name in enumerate(names.tolist()):
        share = outside[row_version == number].sum(axis=0) / rows[number]
        if (share > most).any():
            found[name] = COLUMNS[int(share.argmax())]
    return found
