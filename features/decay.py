"""Exponential decay: what a weight from the past is worth now. Pure functions of (state, now)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DAY = 86_400.0


def decayed(
    weight: NDArray[np.float64],
    since: NDArray[np.float64] | NDArray[np.int64],
    now: float,
    half_life_days: float,
) -> NDArray[np.float64]:
    """Return weights as worth at `now`.

    Args:
        weight: worth at the moment `since`, any shape.
        since: unix seconds, same shape. A moment after `now` counts as now, so a clock running ahead never
            inflates a weight.
        now: unix seconds.
        half_life_days: after so many days a weight is worth half.

    Returns:
        float64 of the same shape. Example: weight 1.0, one half-life ago, is 0.5.
    """
    age = np.maximum(now - since, 0.0)
    return weight * np.exp2(age * (-1.0 / (half_life_days * DAY)))
