"""Blending: what informs more weighs more, and probabilities come true."""

from __future__ import annotations

import numpy as np
import pytest

from training.blend import Blend, fit_blend
from training.examples import Examples

DRAWS, SIZE = 4_000, 10


@pytest.fixture(scope="module")
def truth() -> tuple[Examples, np.ndarray, np.ndarray]:
    """Draws whose hidden candidate follows softmax(true log-odds), in 60 % of which it is a candidate at all."""
    rng = np.random.default_rng(5)
    new = rng.random(DRAWS * SIZE) < 0.5
    odds = rng.normal(0, 1.5, DRAWS * SIZE) - 1.0 * new
    gumbel = (odds + rng.gumbel(size=odds.size)).reshape(DRAWS, SIZE)
    label = np.zeros((DRAWS, SIZE), dtype=np.int8)
    label[np.arange(DRAWS), gumbel.argmax(axis=1)] = 1
    label[rng.random(DRAWS) < 0.4] = 0
    group = np.full(DRAWS, SIZE, dtype=np.int32)
    return Examples(np.zeros((odds.size, 1), dtype=np.float32), label.ravel(), group, DRAWS), odds, new


def test_the_true_log_odds_are_recovered_whatever_their_scale(truth: tuple[Examples, np.ndarray, np.ndarray]) -> None:
    examples, odds, new = truth
    noise = np.random.default_rng(1).normal(size=odds.size)
    blend = fit_blend(examples, {"gbm": 5.0 * (odds + 1.0 * new), "neural": noise}, new)
    assert blend.weights["gbm"] * 5.0 == pytest.approx(1.0, abs=0.05)
    assert blend.weights["neural"] == pytest.approx(0.0, abs=0.05)
    assert blend.new == pytest.approx(-1.0, abs=0.1)


def test_probabilities_come_true_also_for_draws_out_of_reach(truth: tuple[Examples, np.ndarray, np.ndarray]) -> None:
    examples, odds, new = truth
    blend = fit_blend(examples, {"gbm": odds, "neural": np.zeros(odds.size)}, new)
    told = np.concatenate(
        [
            blend.probability(logit, flag)
            for logit, flag in zip(
                blend.logit({"gbm": odds, "neural": np.zeros(odds.size)}, new).reshape(DRAWS, SIZE),
                new.reshape(DRAWS, SIZE),
                strict=True,
            )
        ]
    )
    assert told.mean() == pytest.approx(0.06, abs=0.003)
    for low, high in ((0.0, 0.02), (0.02, 0.1), (0.1, 0.25), (0.25, 0.6)):
        chosen = (told >= low) & (told < high)
        assert chosen.sum() > 500
        assert examples.label[chosen].mean() == pytest.approx(told[chosen].mean(), abs=0.02)


def test_a_score_that_misleads_weighs_nothing(truth: tuple[Examples, np.ndarray, np.ndarray]) -> None:
    examples, odds, new = truth
    misleading = -odds + np.random.default_rng(2).normal(size=odds.size)
    blend = fit_blend(examples, {"gbm": odds, "neural": misleading}, new)
    assert blend.weights["gbm"] > 0
    assert blend.weights["neural"] >= 0


def test_a_single_score_blends_with_nothing_and_is_calibrated_all_the_same(
    truth: tuple[Examples, np.ndarray, np.ndarray],
) -> None:
    examples, odds, new = truth
    alone = fit_blend(examples, {"student": 3.0 * (odds + new)}, new)
    assert alone.weights == {"student": pytest.approx(1 / 3, abs=0.02)}
    assert alone.new == pytest.approx(-1.0, abs=0.1)


def test_constant_scores_and_a_single_draw_give_finite_weights() -> None:
    label = np.array([0, 1, 0], dtype=np.int8)
    one = Examples(np.zeros((3, 1), dtype=np.float32), label, np.array([3], dtype=np.int32), 1)
    blend = fit_blend(one, {"gbm": np.zeros(3), "neural": np.ones(3)}, np.zeros(3, dtype=bool))
    told = blend.as_dict()
    assert all(np.isfinite(value) for value in [*told.pop("weights").values(), *told.values()])
    assert isinstance(blend, Blend)
    probability = blend.probability(np.zeros(3), np.zeros(3, dtype=bool))
    assert ((probability > 0) & (probability < 1)).all()
