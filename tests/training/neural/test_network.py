"""The neural ranker learns, is the same in PyTorch and in numpy, and answers for any input."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from configs import load_settings
from configs.errors import ConfigError
from training.examples import Examples
from training.neural.fit import fit_network, listwise_loss
from training.neural.network import NeuralRanker, Scaling

NEURAL = load_settings().neural
COLUMNS = 4
values = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))


def examples(draws: int = 300, size: int = 8) -> Examples:
    """The hidden candidate is the one whose first column is largest; the other columns say nothing."""
    rng = np.random.default_rng(3)
    features = rng.gamma(1.0, 5.0, (draws * size, COLUMNS)).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    features[:, 0] = rng.random(draws * size)
    label = np.zeros((draws, size), dtype=np.int8)
    label[np.arange(draws), features[:, 0].reshape(draws, size).argmax(axis=1)] = 1
    return Examples(features, label.ravel(), np.full(draws, size, dtype=np.int32), draws)


@pytest.fixture(scope="module")
def trained() -> NeuralRanker:
    return fit_network(examples(), small())


def small(**changes: Any) -> Any:
    return NEURAL.model_copy(update={"batch": 16, "hidden": (16, 8), "epochs": 8, "threads": 1} | changes)


def test_it_finds_what_makes_a_candidate_the_hidden_one(trained: NeuralRanker) -> None:
    fresh = examples(draws=100)
    best = trained.score(fresh.features).reshape(100, -1).argmax(axis=1)
    assert (best == fresh.label.reshape(100, -1).argmax(axis=1)).mean() > 0.8


def test_the_same_seed_gives_the_same_network_and_another_one_another(trained: NeuralRanker) -> None:
    again, other = fit_network(examples(), small()), fit_network(examples(), small(seed=8))
    assert all(np.array_equal(a, b) for a, b in zip(trained.weights, again.weights, strict=True))
    assert not np.array_equal(trained.weights[0], other.weights[0])


def test_numpy_scores_as_pytorch_does(trained: NeuralRanker) -> None:
    layers: list[torch.nn.Module] = []
    for weight, bias in zip(trained.weights, trained.biases, strict=True):
        layer = torch.nn.Linear(*weight.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(weight.T.copy()), torch.from_numpy(bias)
        layers += [layer, torch.nn.ReLU()]
    features = examples(draws=20).features
    with torch.no_grad():
        expected = torch.nn.Sequential(*layers[:-1])(torch.from_numpy(trained.scaling.inputs(features)))[:, 0]
    np.testing.assert_allclose(trained.score(features), expected.numpy(), atol=1e-4)


@given(arrays(np.float32, st.tuples(st.integers(0, 5), st.just(COLUMNS)), elements=values))
@settings(max_examples=100, deadline=None)
def test_scores_are_finite_for_any_features_unknown_ones_too(trained: NeuralRanker, features: Any) -> None:
    scores = trained.score(features)
    assert scores.shape == (len(features),)
    assert np.isfinite(scores).all()


@given(arrays(np.float32, st.tuples(st.integers(1, 30), st.just(COLUMNS)), elements=values))
@settings(max_examples=100, deadline=None)
def test_any_column_can_be_scaled_empty_and_constant_ones_too(features: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inputs = Scaling.of(features).inputs(features)
    assert np.isfinite(inputs).all()
    assert inputs.dtype == np.float32


def test_a_value_that_is_huge_next_to_tiny_ones_is_held_within_bounds() -> None:
    tiny = np.finfo(np.float32).tiny
    features = np.full((3, COLUMNS), tiny, dtype=np.float32)
    features[0, 0] = 4.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inputs = Scaling.of(features).inputs(features)
    assert np.isfinite(inputs).all()
    assert inputs[0, 0] > inputs[1, 0]


def test_arrays_give_back_the_same_network(trained: NeuralRanker) -> None:
    again = NeuralRanker.from_arrays(trained.arrays())
    features = examples(draws=5).features
    assert np.array_equal(again.score(features), trained.score(features))


def test_the_loss_is_the_cross_entropy_of_each_draw() -> None:
    score, label = torch.tensor([1.0, 2.0, 0.5, 3.0, -1.0]), torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    loss = listwise_loss(score, label, torch.tensor([0, 0, 1, 1, 1]), 2)
    first = -torch.log_softmax(score[:2], 0)[1]
    second = -torch.log_softmax(score[2:], 0)[[0, 2]].mean()
    assert loss.item() == pytest.approx(((first + second) / 2).item(), rel=1e-6)


def test_a_draw_of_weight_3_is_learned_from_like_three_of_it() -> None:
    score, label, draw = (
        torch.tensor([1.0, 2.0, 0.5, 3.0]),
        torch.tensor([0.0, 1.0, 1.0, 0.0]),
        torch.tensor([0, 0, 1, 1]),
    )
    weighted = listwise_loss(score, label, draw, 2, torch.tensor([3.0, 3.0, 1.0, 1.0]))
    thrice = listwise_loss(
        torch.cat([score, score[:2], score[:2]]),
        torch.cat([label, label[:2], label[:2]]),
        torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]),
        4,
    )
    assert 2 * weighted.item() == pytest.approx(4 * thrice.item(), rel=1e-6)


def test_weights_decide_which_of_two_contradicting_halves_is_believed() -> None:
    half = examples()
    worst = half.features[:, 0].reshape(half.group.size, -1).argmin(axis=1)
    against = replace(half, label=np.eye(8, dtype=np.int8)[worst].ravel())
    heavy, light = np.full(half.label.size, 10, np.float32), np.full(half.label.size, 0.1, np.float32)
    fresh = examples(draws=100)
    for weight, expected in (((heavy, light), True), ((light, heavy), False)):
        both = replace(half, weight=weight[0]).joined(replace(against, weight=weight[1]))
        best = fit_network(both, small()).score(fresh.features).reshape(100, -1).argmax(axis=1)
        assert bool((best == fresh.label.reshape(100, -1).argmax(axis=1)).mean() > 0.6) is expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here, so asking for one is no mistake")
def test_asking_for_a_missing_gpu_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="TILLWISE_NEURAL__DEVICE"):
        fit_network(examples(draws=2), small(device="cuda"))
