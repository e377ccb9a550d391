"""Features of exposures come back as they were, in every bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from features.definitions import COLUMNS
from features.exposed import pack, unpack

bits = arrays(np.uint32, st.tuples(st.integers(0, 4), st.just(len(COLUMNS))), elements=st.integers(0, 2**32 - 1))


@given(bits)
def test_any_bits_survive(told: NDArray[np.uint32]) -> None:
    assert unpack(pack(told.view(np.float32)), len(told)).tobytes() == told.tobytes()


def test_the_bytes_are_little_endian_row_by_row() -> None:
    from zlib import decompress

    rows = np.arange(2 * len(COLUMNS), dtype=np.float32).reshape(2, -1)
    assert decompress(pack(rows)) == rows.astype(">f4").byteswap().tobytes()
    assert unpack(pack(rows.astype(">f4")), 2).tolist() == rows.tolist()


def test_another_number_of_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="are not 3 rows"):
        unpack(pack(np.zeros((2, len(COLUMNS)), dtype=np.float32)), 3)
