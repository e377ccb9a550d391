"""Rankers that learn of a biased log: corrected they find what is wanted, uncorrected what used to be shown first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from configs import SilentProgress, load_settings
from features.definitions import COLUMNS
from tests.training.feedback.support import exposures
from training.examples import Examples, Split
from training.feedback.draws import chance_to_be_seen, draws_of
from training.feedback.examination import examine
from training.feedback.gather import looks_of
from training.feedback.outcomes import Came
from training.gbm import fit_gbm
from training.neural.fit import fit_network

SETTINGS = load_settings(
    training={"trees": 40, "min_data_in_leaf": 20, "threads": 1},
    neural={"hidden": [8], "threads": 1, "epochs": 8, "learning_rate": 0.01},
)
WANTED = np.array([0.20, 0.27, 0.35, 0.46, 0.60, 0.80])
CURVE = 1 / np.arange(1, 7)
Score = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def biased_log(answers: int = 8_000) -> tuple[Examples, Examples, Examples]:
    """Return draws of a log that showed what is least wanted first, as a rule: weighted as estimated, by the true
    curve, and not at all."""
    rng = np.random.default_rng(11)
    order = np.argsort(np.arange(6) + rng.normal(scale=1.0, size=(answers, 6)), axis=1)
    came = np.where(rng.random(order.shape) < CURVE * WANTED[order], Came.ORDER, Came.NOTHING).astype(np.int8).ravel()
    shown = exposures([[f"p{row}" for row in rows] for rows in order.tolist()], rows_of(order.ravel()))
    estimated = examine(looks_of(shown, came), SETTINGS.feedback.examination).curve

    def drawn(seen: NDArray[np.float64]) -> Examples:
        return draws_of(shown, came, seen, SETTINGS.feedback)[0]

    return drawn(chance_to_be_seen(shown, estimated)), drawn(chance_to_be_seen(shown, CURVE)), drawn(np.ones(came.size))


def rows_of(products: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return features that tell the product and nothing else."""
    features = np.zeros((products.size, len(COLUMNS)), dtype=np.float32)
    features[np.arange(products.size), products] = 1.0
    return features


def of_trees(examples: Examples) -> Score:
    booster, _ = fit_gbm(Split(examples, examples), SETTINGS.training, SilentProgress())
    return lambda features: np.asarray(booster.predict(features))


def of_network(examples: Examples) -> Score:
    return fit_network(examples, SETTINGS.neural).score


@pytest.mark.parametrize("fit", [of_trees, of_network])
def test_the_corrected_log_gives_the_order_of_what_is_wanted_and_the_uncorrected_one_does_not(
    fit: Callable[[Examples], Score],
) -> None:
    estimated, true, naive = (fit(examples)(rows_of(np.arange(6))) for examples in biased_log())
    wanted = list(range(6))
    assert np.argsort(true).tolist() == wanted
    assert np.argsort(estimated).tolist() == wanted
    assert naive.argmax() == 0  # what is least wanted
    assert np.corrcoef(naive, WANTED)[0, 1] < 0.5
