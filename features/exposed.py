"""The features of what was shown, as exposures carry them: small, and bit for bit what was ranked with."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
from numpy.typing import NDArray

from features.definitions import COLUMNS

COLUMNS_DIGEST = hashlib.sha256("\n".join(COLUMNS).encode()).hexdigest()[:12]
"""Says which columns logged features have: 12 hex digits of the SHA-256 of their names, one a line."""

_LITTLE = np.dtype("<f4")
_FAST = 1


def pack(features: NDArray[np.float32]) -> bytes:
    """Return float32[k, columns] as the zlib-compressed bytes of its little-endian values, row by row."""
    return zlib.compress(features.astype(_LITTLE, copy=False).tobytes(), _FAST)


def unpack(packed: bytes, rows: int) -> NDArray[np.float32]:
    """Return the float32[rows, columns] that was packed, bit for bit.

    Raises:
        ValueError, zlib.error: the bytes are not those of so many rows.
    """
    values = np.frombuffer(zlib.decompress(packed), dtype=_LITTLE).astype(np.float32)
    if values.size != rows * len(COLUMNS):
        raise ValueError(f"{values.size} values are not {rows} rows of {len(COLUMNS)} columns.")
    return values.reshape(rows, len(COLUMNS))
