"""The trees as ONNX score as LightGBM does."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

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


@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=VALUES))
@settings(max_examples=200, deadline=None)
def test_any_row_scores_as_by_lightgbm(features: NDArray[np.float32]) -> None:
    expected = BOOSTER.predict(features, num_threads=1)
    np.testing.assert_allclose(SCORER.score(features), expected, rtol=1e-5, atol=1e-4)


def test_a_value_just_above_a_threshold_goes_the_other_way() -> None:
    thresholds = {split["threshold"] for tree in BOOSTER.dump_model()["tree_info"] for split in splits(tree)}
    near = np.array(
        [[t, t, t] for threshold in thresholds if abs(threshold) > ZERO for t in around(threshold)], dtype=np.float32
    )
    np.testing.assert_allclose(SCORER.score(near), BOOSTER.predict(near, num_threads=1), rtol=1e-5, atol=1e-4)
    assert len(np.unique(SCORER.score(near))) > len(thresholds) / 2


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
