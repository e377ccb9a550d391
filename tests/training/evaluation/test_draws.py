"""Draws of held-back shoppers: whose baskets, what is hidden, and where a ranking puts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import Settings
from features.definitions import COLUMNS, FEATURES, assemble
from features.history import History, ingest_record, load_history
from features.store import open_store
from features.top import top_rows
from features.windows import Window, cut_windows
from training.dataset import held_back_shoppers, product_matrix
from training.evaluation.draws import Draws, held_back_draws


@pytest.fixture(scope="module")
def past(built_shop: Settings) -> History:
    return load_history(built_shop.work.data)


@pytest.fixture(scope="module")
def window(built_shop: Settings, past: History) -> Window:
    return cut_windows(past, ingest_record(built_shop.work.data)["timezone"], built_shop.windows).folds[-1]


@pytest.fixture(scope="module")
def draws(built_shop: Settings, past: History, window: Window) -> Draws:
    store = open_store(built_shop)
    matrix = product_matrix(built_shop, store, past, window.start)
    return held_back_draws(built_shop, store, past, window, matrix, limit=25)


def made(scores: list[list[int]], hidden: list[int]) -> tuple[Draws, np.ndarray]:
    """Return draws whose candidates are numbered from 0 in each draw, and their scores."""
    group = np.array([len(of_draw) for of_draw in scores], dtype=np.int64)
    rows = np.concatenate([np.empty(0, dtype=np.int32), *(np.arange(size, dtype=np.int32) for size in group)])
    nothing = np.zeros((rows.size, 0), dtype=np.float32)
    draws = Draws([], np.zeros(group.size, np.int32), np.array(hidden, np.int32), rows, group, nothing, ())
    return draws, np.array([score for of_draw in scores for score in of_draw], dtype=np.float64)


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 6)), min_size=1, max_size=5))
def test_the_place_is_where_a_served_list_would_show_the_hidden_product(drawn: list[tuple[list[int], int]]) -> None:
    draws, scores = made([of_draw for of_draw, _ in drawn], [hidden for _, hidden in drawn])
    for number, (place, (_, hidden)) in enumerate(zip(draws.place(scores).tolist(), drawn, strict=True)):
        served = top_rows(scores[draws.rows(number)], 99).tolist()
        assert place == (served.index(hidden) if hidden in served else -1)


def test_a_hidden_product_that_is_no_candidate_counts_as_a_miss() -> None:
    draws, scores = made([[5, 9, 7], [1, 2], []], [2, 7, 0])
    found = draws.accuracy(scores, 2)
    assert found["hit_rate"].tolist() == [1.0, 0.0, 0.0]
    assert found["mrr"].tolist() == [0.5, 0.0, 0.0]
    assert draws.accuracy(scores, 1)["hit_rate"].tolist() == [0.0, 0.0, 0.0]


def test_only_baskets_of_shoppers_that_training_leaves_out_are_drawn(
    built_shop: Settings, past: History, draws: Draws
) -> None:
    assert len(draws) == 25
    assert held_back_shoppers(past, built_shop)[draws.shopper].all()


def test_each_draw_is_a_basket_of_the_window_with_one_product_taken_out(
    past: History, window: Window, draws: Draws
) -> None:
    first, last = np.searchsorted(past.at, [window.start, window.end])
    placed = {
        (int(past.at[order]), past.shopper[order], tuple(past.products_of(order))) for order in range(first, last)
    }
    for context, shopper, hidden in zip(draws.contexts, draws.shopper, draws.hidden, strict=True):
        assert hidden not in context.cart
        assert (int(context.now), shopper, tuple(sorted([*context.cart, hidden]))) in placed


def test_rows_are_the_candidates_features_in_the_named_columns(draws: Draws) -> None:
    assert draws.columns == COLUMNS
    rows = draws.rows(3)
    fresh = assemble(draws.contexts[3], draws.candidates[rows], FEATURES)
    assert np.array_equal(draws.features[rows], fresh, equal_nan=True)
    assert draws.label.sum() == (draws.place(np.zeros(draws.label.size)) >= 0).sum()


@given(st.integers(0, 999))
def test_shuffling_keeps_columns_together_and_candidates_within_their_draw(seed: int) -> None:
    draws, own = made([[0, 1, 2], [], [3, 4, 5, 6], [7, 8]], [0, 0, 0, 0])
    draws = replace(draws, features=np.stack([own, -own, own], axis=1).astype(np.float32), columns=("a", "b", "c"))
    found = draws.shuffled({"a", "b"}, np.random.default_rng(seed))
    assert np.array_equal(found[:, 2], own)
    assert np.array_equal(found[:, 1], -found[:, 0])
    for number in range(len(draws)):
        assert sorted(found[draws.rows(number), 0]) == own[draws.rows(number)].tolist()


@given(st.integers(0, 999))
def test_shuffling_gives_a_draw_the_cart_of_another_whole(seed: int) -> None:
    draws, _ = made([[0, 1, 2], [], [3, 4, 5, 6], [7, 8]], [0, 0, 0, 0])
    cart = np.array([5.0, -1.0, np.nan, 7.0], dtype=np.float32)[draws.draw]
    draws = replace(draws, features=cart[:, None], columns=("cart",))
    found = draws.shuffled({"cart"}, np.random.default_rng(seed))[:, 0]
    given_to = [np.unique(found[draws.rows(number)], equal_nan=True).tolist() for number in (0, 2, 3)]
    assert [len(values) for values in given_to] == [1, 1, 1]
    assert sorted(str(value) for values in given_to for value in values) == ["5.0", "7.0", "nan"]
