"""Heads: which scores the model ranks by. The setting `ranking.head` chooses one; a package holds all.

Each head has weights and a calibration of its own, so that its log-odds and probabilities mean the same whichever one
serves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.blend import Blend, Floats, fit_blend
from training.examples import Examples

HEADS: Mapping[str, tuple[str, ...]] = {
    "blend": ("gbm", "neural"),
    "gbm": ("gbm",),
    "neural": ("neural",),
    "student": ("student",),
    "student_int8": ("student_int8",),
}
"""Head, as in the setting → the scores it adds up."""


def fit_heads(
    examples: Examples, scores: Mapping[str, Floats], new: NDArray[np.bool_], names: tuple[str, ...] = tuple(HEADS)
) -> dict[str, Blend]:
    """Return how each named head adds up its scores and what probability they mean, from held-back examples.

    Args:
        examples: all candidates of each draw, whether or not they hold the hidden product; at least one does.
        scores: float64[rows] by name. new: bool[rows], products new to the shopper. names: of `HEADS`.
    """
    return {name: fit_blend(examples, {part: scores[part] for part in HEADS[name]}, new) for name in names}
