"""The trees as ONNX, and as words of bits, score as LightGBM does."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from training.quick_trees import QuickTrees
from training.student.session import OnnxScorer
from training.trees import trees_to_onnx

QUIET = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": 3}
# Halves, so that values often lie exactly on a threshold's side; the second column was never unknown in training.
VALUES = st.one_of(
    st.integers(-8, 8).map(lambda n: n / 2),
    st.floats(-(2.0**90), 2.0**90, width=32, allow_subnormal=False),
    st.just(float("nan")),
)


def learned(categorical: bool = False) -> lgb.Booster:
    draw = np.random.default_rng(5)
    features = draw.integers(-8, 8, (600, 3)) / 2
    features[draw.random(600) < 0.3, 0] = np.nan
    label = np.nan_to_num(features[:, 0], nan=3.0) * features[:, 1] + features[:, 2] ** 2
    data = (
        lgb.Dataset(np.abs(features), label, categorical_feature=[2]) if categorical else lgb.Dataset(features, label)
    )
    return lgb.train({"objective": "regression"} | QUIET, data, 20)


ZERO = 1e-30
"""Below it LightGBM's own bound of zero lies, which it tells in fewer digits than it compares with."""

BOOSTER = learned()
SCORER = OnnxScorer(trees_to_onnx(BOOSTER))


def quick(booster: lgb.Booster) -> QuickTrees:
    found = QuickTrees.of(booster.model_to_string())
    assert found is not None
    return found


QUICK = quick(BOOSTER)


@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=VALUES))
@settings(max_examples=200, deadline=None)
def test_any_row_scores_as_by_lightgbm(features: NDArray[np.float32]) -> None:
    expected = BOOSTER.predict(features, num_threads=1)
    np.testing.assert_allclose(SCORER.score(features), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(QUICK.score(features), SCORER.score(features))  # bit for bit


def test_a_value_just_above_a_threshold_goes_the_other_way() -> None:
    thresholds = {split["threshold"] for tree in BOOSTER.dump_model()["tree_info"] for split in splits(tree)}
    near = np.array(
        [[t, t, t] for threshold in thresholds if abs(threshold) > ZERO for t in around(threshold)], dtype=np.float32
    )
    np.testing.assert_allclose(SCORER.score(near), BOOSTER.predict(near, num_threads=1), rtol=1e-5, atol=1e-4)
    assert len(np.unique(SCORER.score(near))) > len(thresholds) / 2
    np.testing.assert_array_equal(QUICK.score(near), SCORER.score(near))


def splits(tree: dict[str, Any]) -> list[dict[str, Any]]:
    found, todo = [], [tree["tree_structure"]]
    while todo:
        node = todo.pop()
        if "threshold" in node:
            found.append(node)
            todo += [node["left_child"], node["right_child"]]
    return found


def around(value: float) -> list[np.float32]:
    single = np.float32(value)
    return [np.nextafter(single, np.float32(-np.inf)), single, np.nextafter(single, np.float32(np.inf))]


def test_splits_by_category_are_refused() -> None:
    with pytest.raises(ValueError, match="expected '<='"):
        trees_to_onnx(learned(categorical=True))
    with pytest.raises(ValueError, match="expected one by '<='"):
        QuickTrees.of(learned(categorical=True).model_to_string())


@pytest.mark.parametrize("leaves", [2, 40, 64])
def test_trees_of_any_size_that_fits_a_word_score_as_by_onnx(leaves: int) -> None:
    draw = np.random.default_rng(leaves)
    features = draw.normal(size=(900, 4)).astype(np.float32)
    features[draw.random(900) < 0.2, 1] = np.nan
    booster = lgb.train(
        {"objective": "regression", "num_leaves": leaves} | QUIET, lgb.Dataset(features, features[:, 0] ** 2), 9
    )
    np.testing.assert_array_equal(quick(booster).score(features), OnnxScorer(trees_to_onnx(booster)).score(features))


def test_a_model_that_learned_nothing_scores_as_by_onnx() -> None:
    features = np.ones((30, 3), np.float32)
    booster = lgb.train({"objective": "regression"} | QUIET, lgb.Dataset(features, np.arange(30.0)), 2)
    np.testing.assert_array_equal(quick(booster).score(features), OnnxScorer(trees_to_onnx(booster)).score(features))


def test_trees_that_do_not_fit_a_word_are_left_to_onnx() -> None:
    features = np.random.default_rng(1).normal(size=(900, 2))
    booster = lgb.train(
        {"objective": "regression", "num_leaves": 65} | QUIET, lgb.Dataset(features, features[:, 0] * features[:, 1]), 1
    )
    assert QuickTrees.of(booster.model_to_string()) is None
