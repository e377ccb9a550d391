"""Looking ids up among many others: much quicker on Arrow arrays than through pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def is_among(ids: pd.Series, others: pd.Series) -> NDArray[np.bool_]:
    """Return bool[ids], whether each id occurs in `others`; a missing id occurs nowhere."""
    found = pc.is_in(_as_arrow(ids), _as_arrow(others), skip_nulls=True)
    return np.asarray(found, dtype=np.bool_)


def positions(ids: pd.Series, others: pd.Series) -> NDArray[np.int64]:
    """Return int64[ids], where each id stands in `others` (unique); each must be there."""
    return np.asarray(pc.index_in(_as_arrow(ids), _as_arrow(others)), dtype=np.int64)


def _as_arrow(ids: pd.Series) -> pa.Array:
    return pa.array(ids, pa.large_string(), from_pandas=True)
