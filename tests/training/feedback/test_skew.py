"""Logged features that speak the language of baskets: a served model does, an encoder of another kind does not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from configs import Settings
from features.context import Context
from features.definitions import COLUMNS, assemble
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from tests.training.feedback.support import exposures
from training.candidates import generate
from training.dataset import sides_over_time, states_of
from training.feedback.skew import strange_versions
from training.protocol import make_cases

CASES = 40
Features = list[NDArray[np.float32]]


@pytest.fixture(scope="module")
def over_time(built_shop: Settings) -> list[Features]:
    """The features of the same candidates of the same requests, by the product side at the start of the first and of
    the last training fold, and by the one that serves."""
    history, store = load_history(built_shop.work.data), open_store(built_shop)
    windows = cut_windows(history, ingest_record(built_shop.work.data)["timezone"], built_shop.windows)
    cutoffs = [windows.folds[0].start, windows.folds[-1].start, windows.as_of]
    sides = list(sides_over_time(built_shop, store, history, cutoffs))
    cases = make_cases(history, windows.test, hidden_share=0.0, min_products=3, seed=1)[:CASES]
    states = states_of(built_shop, store, history, cases)
    asked = [(state, case.cart, case.at) for state, case in zip(states, cases, strict=True)]
    rows = [generate(Context(sides[-1], *one), built_shop.candidates) for one in asked]
    return [[assemble(Context(side, *one), some) for one, some in zip(asked, rows, strict=True)] for side in sides]


def test_encoders_of_different_cutoffs_score_the_same_requests_alike(over_time: list[Features]) -> None:
    column = COLUMNS.index("encoder_score")
    *folds, served = ([features[:, column] for features in side] for side in over_time)
    for fold in folds:
        alike = [spearmanr(one, other).statistic for one, other in zip(fold, served, strict=True)]
        assert np.mean(alike) > 0.8
        shift = abs(np.concatenate(fold).mean() - np.concatenate(served).mean())
        assert shift < 0.5 * np.concatenate(served).std()


def test_answers_of_a_served_model_are_learned_from_and_those_of_an_encoder_of_another_kind_are_not(
    over_time: list[Features],
) -> None:
    first, last, served = (np.concatenate(side) for side in over_time)
    other = served[:50].copy()
    other[:, COLUMNS.index("encoder_score")] *= 20
    shown = exposures([["p"] * len(served), ["p"] * 50], np.concatenate([served, other]), versions=["served", "other"])
    assert strange_versions(shown, np.concatenate([first, last]), 0.05) == {"other": "encoder_score"}
