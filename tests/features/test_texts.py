"""Texts over an Arrow column, as codes or in files behave as the list of strings that they were made from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.texts import Coded, Texts, text_column
from training.arrays import map_texts, save_texts

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


@given(st.lists(st.sampled_from(["b", "a", "", "ä > x"])), st.integers(-3, 9))
def test_codes_stand_for_the_texts_they_are_made_of(texts: list[str], place: int) -> None:
    coded = Coded.of(texts)
    assert list(coded) == texts
    assert coded.names == sorted(set(texts))
    assert coded[place:] == texts[place:]
    assert [coded[at] for at in range(len(coded))] == texts
    assert Coded.of(coded) is coded
    assert text_column(coded).to_pylist() == texts


@given(st.lists(st.text(max_size=9), max_size=30), st.integers(0, 4))
def test_texts_in_files_are_the_same_texts(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], first: int
) -> None:
    folder = tmp_path_factory.mktemp("texts")
    for name, told in {
        "list": texts,
        "column": Texts(pa.chunked_array([pa.array(texts, pa.string())[first:]])),
    }.items():
        save_texts(folder, name, told)
        assert list(map_texts(folder, name)) == list(told)
