"""Texts over an Arrow column behave as the list of strings that it was made from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.texts import Texts

WORDS = ["oat milk", "", "crème fraîche", "oat milk", "卵"]


@pytest.mark.parametrize("pieces", [[WORDS], [WORDS[:2], WORDS[2:]], [[], WORDS]])
def test_they_read_as_the_list_does(pieces: list[list[str]]) -> None:
    texts = Texts(pa.chunked_array(pieces, pa.string()))
    assert list(texts) == WORDS
    assert [texts[place] for place in range(-5, 5)] == [WORDS[place] for place in range(-5, 5)]
    assert [texts[np.int64(2)], texts[1:4], texts[::-2], texts[9:]] == [WORDS[2], WORDS[1:4], WORDS[::-2], []]
    assert (len(texts), WORDS[4] in texts, "eggs" in texts, texts.index("oat milk")) == (5, True, False, 0)
    assert np.array(texts).tolist() == WORDS
    assert pa.array(texts).to_pylist() == WORDS


def test_there_may_be_none() -> None:
    assert list(Texts(pa.chunked_array([], pa.string()))) == []


def test_a_place_beyond_the_end_is_refused() -> None:
    with pytest.raises(IndexError):
        Texts(pa.chunked_array([WORDS]))[5]
