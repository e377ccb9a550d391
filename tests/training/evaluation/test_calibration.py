"""Calibration against simulated arms whose honesty is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.evaluation.calibration import calibration

GENERATOR = np.random.default_rng(3)
SAID = GENERATOR.beta(1, 12, (6_000, 10))


def test_honest_probabilities_lie_on_the_diagonal() -> None:
    found = calibration(SAID, GENERATOR.random(SAID.shape) < SAID)
    assert found is not None
    assert found.error < 0.005
    assert np.abs(found.predicted - found.observed).max() < 0.03


def test_a_boaster_is_found_out_by_as_much_as_it_boasts() -> None:
    found = calibration(SAID, GENERATOR.random(SAID.shape) < SAID / 2)
    assert found is not None
    assert found.error == pytest.approx(SAID.mean() / 2, abs=0.005)
    assert (found.observed < found.predicted)[1:].all()


def test_bins_hold_about_equally_many_pairs() -> None:
    found = calibration(SAID, SAID > 1, bins=10)
    assert found is not None
    assert found.count.tolist() == pytest.approx([SAID.size / 10] * 10, rel=0.01)


def test_places_where_nothing_was_shown_do_not_count() -> None:
    said = np.array([[0.5, 0.5], [0.5, np.nan]])
    found = calibration(said, np.array([[True, False], [False, True]]))
    assert found is not None
    assert (found.pairs, found.predicted.tolist(), found.observed.tolist()) == (3, [0.5], [pytest.approx(1 / 3)])
    assert calibration(np.full((2, 2), np.nan), np.zeros((2, 2), dtype=bool)) is None


@given(hnp.arrays(np.float64, 30, elements=st.floats(0, 1)), hnp.arrays(np.bool_, 30), st.integers(1, 12))
def test_the_bins_together_hold_all_pairs_and_their_means(said: np.ndarray, taken: np.ndarray, bins: int) -> None:
    found = calibration(said, taken, bins)
    assert found is not None
    assert found.count.sum() == found.pairs == 30
    assert found.predicted @ found.count / 30 == pytest.approx(said.mean())
    assert found.observed @ found.count / 30 == pytest.approx(taken.mean())
    assert (np.diff(found.predicted) > 0).all()
    assert 0 <= found.error <= 1
