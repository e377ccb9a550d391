"""Whether probabilities mean what they say: of the products shown with 20 %, is one in five taken?

Bins hold equally many pairs, since nearly all probabilities are small and bins of equal width would hold them all at
once. Sources: reliability curves, DeGroot and Fienberg 1983; expected calibration error, Naeini et al. 2015 (AAAI);
bins of equal mass, Nguyen and O'Connor 2015 (EMNLP).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import Floats

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """What an arm's probabilities are worth on the pairs of case and product that it showed.

    Attributes:
        pairs: how many. error: expected calibration error, the mean distance of both curves weighted by pairs.
        predicted, observed: float64[bins], mean probability and share taken, ascending in the former.
        count: int64[bins], pairs in each.
    """

    pairs: int
    error: float
    predicted: Floats
    observed: Floats
    count: NDArray[np.int64]


def calibration(probability: Floats, taken: NDArray[np.bool_], bins: int = BINS) -> Calibration | None:
    """Return how well probabilities fit what happened; None without any pair.

    Args:
        probability: float64 of any shape, in [0, 1]; NaN where nothing was shown.
        taken: bool of the same shape. bins: at most so many; equal probabilities stay in one bin.
    """
    shown = ~np.isnan(probability)
    said, happened = probability[shown], taken[shown].astype(np.float64)
    if not said.size:
        return None
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, said, side="left")
    count = np.bincount(place, minlength=edges.size + 1)
    used = count > 0
    predicted = np.bincount(place, said, edges.size + 1)[used] / count[used]
    observed = np.bincount(place, happened, edges.size + 1)[used] / count[used]
    error = float(np.abs(predicted - observed) @ count[used] / said.size)
    return Calibration(int(said.size), error, predicted, observed, count[used])
