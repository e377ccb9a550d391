"""Finding many values in a sorted array at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def locate(known: NDArray[Any], wanted: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where `wanted` values lie in the ascending distinct `known`: (position, found), each [wanted].

    A position is meaningful only where found; it is valid to index unless `known` is empty.
    """
    if not known.size:
        return np.zeros(wanted.size, dtype=np.intp), np.zeros(wanted.size, dtype=bool)
    position = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return position, known[position] == wanted
