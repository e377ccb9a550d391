"""Answers become draws: one product taken, what was not taken beside it, and a weight for what was not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from configs import load_settings
from configs.settings import FeedbackSettings
from features.definitions import COLUMNS
from tests.training.feedback.support import exposures, simulated
from training.feedback.draws import chance_to_be_seen, draws_of
from training.feedback.outcomes import Came

FEEDBACK = load_settings().feedback
SEEN = np.ones(9)


def feedback(**changes: Any) -> FeedbackSettings:
    return FEEDBACK.model_copy(update=changes)


def came(*outcomes: Came) -> np.ndarray:
    return np.array(outcomes, dtype=np.int8)


def numbered(count: int) -> np.ndarray:
    """Return features whose first column numbers the rows."""
    features = np.zeros((count, len(COLUMNS)), dtype=np.float32)
    features[:, 0] = np.arange(count)
    return features


def test_each_product_taken_is_a_draw_with_what_was_shown_beside_it_and_not_taken() -> None:
    shown = exposures([["d", "a", "c"], ["b", "e"], ["x", "y"]], numbered(7))
    told = came(Came.ORDER, Came.NOTHING, Came.ADD, Came.NOTHING, Came.CLICK, Came.NOTHING, Came.NOTHING)
    examples, of_draw = draws_of(shown, told, np.ones(7), FEEDBACK)
    assert examples.group.tolist() == [2, 2, 2]
    assert examples.features[:, 0].tolist() == [1, 0, 1, 2, 3, 4]  # in the order of their ids, whatever came of them
    assert examples.label.tolist() == [0, 1, 0, 1, 0, 1]
    assert [Came(one) for one in of_draw] == [Came.ORDER, Came.ADD, Came.CLICK]
    assert examples.tried == 3


def test_evidence_counts_by_how_strong_it_is_and_all_of_it_as_much_as_is_set() -> None:
    shown = exposures([["a", "b"]] * 3)
    told = came(Came.ORDER, Came.NOTHING, Came.ADD, Came.NOTHING, Came.CLICK, Came.NOTHING)
    examples, _ = draws_of(shown, told, np.ones(6), feedback(weight=2.0, add_worth=0.5, click_worth=0.25))
    assert examples.weight is not None
    assert examples.weight[::2] == pytest.approx(2.0 * np.array([1, 0.5, 0.25]) / np.mean([1, 0.5, 0.25]))
    assert examples.weight[::2].tolist() == examples.weight[1::2].tolist()


def test_what_came_back_and_what_is_worth_nothing_was_not_taken() -> None:
    shown = exposures([["a", "b", "c"]], numbered(3))
    examples, _ = draws_of(shown, came(Came.RETURNED, Came.CLICK, Came.ORDER), np.ones(3), feedback(click_worth=0.0))
    assert examples.features[:, 0].tolist() == [0, 1, 2]
    assert examples.label.tolist() == [0, 0, 1]
    nothing, _ = draws_of(shown, came(Came.RETURNED, Came.NOTHING, Came.NOTHING), np.ones(3), FEEDBACK)
    assert (nothing.group.size, nothing.label.size) == (0, 0)


def test_an_answer_of_which_everything_was_taken_teaches_nothing() -> None:
    examples, _ = draws_of(exposures([["a", "b"], ["c"]]), came(Came.ADD, Came.ORDER, Came.ORDER), np.ones(3), FEEDBACK)
    assert examples.group.size == 0


def test_what_is_hardly_seen_counts_more_up_to_the_clip() -> None:
    shown = exposures([["a", "b"]] * 3)
    told = came(*[Came.ORDER, Came.NOTHING] * 3)
    seen = np.array([1.0, 1.0, 0.25, 1.0, 0.001, 1.0])
    examples, _ = draws_of(shown, told, seen, feedback(clip=8.0))
    assert examples.weight is not None
    assert examples.weight[::2] / examples.weight[0] == pytest.approx([1.0, 4.0, 8.0])


def test_the_chance_to_be_seen_is_that_of_the_place_times_that_to_be_shown_there() -> None:
    curve = np.array([1.0, 0.5, 0.4, 0.2])
    low, high = 0.1 / 20, 0.9 + 0.1 / 20
    shown = exposures([["a", "b", "c", "d"]] * 2, propensity=np.array([1.0, 1.0, low, low, 1.0, 1.0, high, high]))
    seen = chance_to_be_seen(shown, curve)
    assert seen[:4] == pytest.approx([1.0, 0.5, low * 0.6, low * 0.6])  # chance could have put it at either place
    assert seen[4:] == pytest.approx([1.0, 0.5, high * 0.4, high * 0.2])


def test_weighted_takes_add_up_to_how_wanted_everything_is_that_chance_could_have_shown() -> None:
    """By Horvitz and Thompson 1952 (JASA): takes over chances, added up, estimate that without bias."""
    curve = 1 / np.arange(1, 7)
    found, naive = [], []
    for seed in range(30):
        told = simulated(seed, 2_000, curve, epsilon=0.5, slots=1, pool=6)
        taken = told.came == Came.ORDER
        found.append((taken / chance_to_be_seen(told.shown, curve)).sum() / told.possible.sum())
        naive.append(taken.sum() / told.possible.sum())
    assert np.mean(found) == pytest.approx(1.0, abs=4 * np.std(found, ddof=1) / np.sqrt(30))
    assert np.mean(naive) < 0.5
