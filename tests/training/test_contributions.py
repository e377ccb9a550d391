"""What scores are made of: numbers that add up to them, for every head and arm, and fair where fairness is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from features.activity import Action
from features.context import Context
from features.definitions import COLUMNS
from features.shopper import ShopperState
from tests.features.histories import DAY
from training.contributions import Explainer, shapley
from training.heads import HEADS
from training.package import ModelPackage
from training.recommender import ARMS, FALLBACKS, SCORES, SEGMENT, Recommender

TOLERANCE = 1e-4
"""What the API promises, absolute and of scores above 1."""


def headed(package: ModelPackage, head: str) -> ModelPackage:
    """Return the package ranking by another head, with everything that may be added to its log-odds."""
    return replace(package, ranking=package.ranking.model_copy(update={"head": head, "discovery": 0.3, "signals": 1.5}))


def requests(recommender: Recommender, regular: ShopperState, arm: str) -> list[Context]:
    ids, now = recommender.package.products.ids, recommender.package.as_of + DAY
    seen: list[Action] = [(ids[7], now - 60.0, "view"), (ids[9], now - 5.0, "add")]
    activity = seen if recommender.browses(arm) else []
    return [
        recommender.context(ids[:3], regular, now, activity),
        recommender.context([], regular, now),
        recommender.context(ids[20:21], ShopperState.empty(), now, activity),
    ]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("arm", ["model", "value"])
def test_contributions_add_up_to_the_score_of_every_head(
    package: ModelPackage, regular: ShopperState, head: str, arm: str
) -> None:
    _assert_they_add_up(headed(package, head), regular, arm)


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm not in ("model", "value")])
def test_contributions_add_up_to_the_score_of_every_other_arm(
    package: ModelPackage, regular: ShopperState, arm: str
) -> None:
    _assert_they_add_up(package, regular, arm)


def _assert_they_add_up(package: ModelPackage, regular: ShopperState, arm: str) -> None:
    recommender, explainer = Recommender(package), Explainer(package)
    for context in requests(recommender, regular, arm):
        rows, scores = recommender.rank(context, 6, arm)
        found = explainer.contributions(context, rows, scores, arm)
        assert len(found) == 6
        for parts, score in zip(found, scores.tolist(), strict=True):
            assert sum(parts.values()) == pytest.approx(score, rel=TOLERANCE, abs=TOLERANCE)
            assert "beyond_shortlist" not in parts  # so that it is no excuse
            assert list(parts.values()) == sorted(parts.values(), key=abs, reverse=True)
            assert arm in (*FALLBACKS, "signals", SEGMENT) or len(parts) > 10


def test_a_product_beyond_the_shortlist_tells_what_the_cheap_models_score_differs_by(
    package: ModelPackage, regular: ShopperState
) -> None:
    few = replace(package, ranking=package.ranking.model_copy(update={"shortlist": 3}))
    recommender = Recommender(few)
    context = requests(recommender, regular, "model")[0]
    rows, scores = recommender.rank(context, 12, "model")
    found = Explainer(few).contributions(context, rows, scores, "model")
    assert sum("beyond_shortlist" in parts for parts in found) == 9
    for parts, score in zip(found, scores.tolist(), strict=True):
        assert sum(parts.values()) == pytest.approx(score, rel=TOLERANCE, abs=TOLERANCE)


def test_discovery_signals_and_the_shoppers_own_past_have_their_parts(
    package: ModelPackage, regular: ShopperState
) -> None:
    ranked = headed(package, "blend")
    recommender = Recommender(ranked)
    context = requests(recommender, regular, "model")[0]
    rows, scores = recommender.rank(context, 30, "model")
    found = Explainer(ranked).contributions(context, rows, scores, "model")
    new = ~np.isin(package.products.keys[rows], regular.products.keys)
    assert [parts.get("discovery", 0.0) for parts in found] == pytest.approx((0.3 * new).tolist())
    assert any(parts.get("signals", 0.0) > 0 for parts in found)
    assert {name for parts in found for name in parts} - {*COLUMNS} == {
        *("base", "discovery", "signals", "new_to_shopper")
    }


def test_what_rounding_to_int8_changes_is_little(package: ModelPackage, regular: ShopperState) -> None:
    recommender = Recommender(package)
    context = requests(recommender, regular, "student_int8")[0]
    rows, scores = recommender.rank(context, 20, "student_int8")
    found = Explainer(package).contributions(context, rows, scores, "student_int8")
    spread = float(recommender.rank(context, 1_000, "student_int8")[1].std())
    assert all(abs(parts["int8"]) < 0.5 * spread for parts in found)


@pytest.mark.parametrize("name", SCORES)
def test_base_is_the_same_for_every_candidate(package: ModelPackage, regular: ShopperState, name: str) -> None:
    recommender = Recommender(package)
    context = requests(recommender, regular, name)[0]
    found = Explainer(package).contributions(context, *recommender.rank(context, 5, name), name)
    assert [parts["base"] for parts in found] == pytest.approx([found[0]["base"]] * 5)


Score = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def shares_of(score: Score, features: NDArray[np.float32], typical: NDArray[np.float32]) -> NDArray[np.float64]:
    parts = shapley(score, features, typical)
    return np.stack([parts[name] for name in COLUMNS], axis=1)


def test_columns_of_a_sum_get_exactly_their_own_part() -> None:
    draw = np.random.default_rng(3)
    weights, typical = draw.normal(size=len(COLUMNS)), draw.normal(size=len(COLUMNS)).astype(np.float32)
    features = draw.normal(size=(4, len(COLUMNS))).astype(np.float32)
    found = shares_of(lambda rows: rows.astype(np.float64) @ weights, features, typical)
    np.testing.assert_allclose(found, weights * (features.astype(np.float64) - typical), atol=1e-5)


def test_two_columns_that_only_work_together_share_alike() -> None:
    features = np.zeros((1, len(COLUMNS)), dtype=np.float32)
    features[0, [4, 11]] = 3.0, 2.0
    found = shares_of(lambda rows: (rows[:, 4] * rows[:, 11]).astype(np.float64), features, np.zeros_like(features[0]))
    assert found[0, [4, 11]].tolist() == [3.0, 3.0]
    assert np.count_nonzero(found) == 2


def test_a_typical_candidate_is_what_the_network_is_fed_nothing_but_zeros_for(package: ModelPackage) -> None:
    scaling = package.neural.scaling
    typical = scaling.typical_features()
    inputs = scaling.inputs(typical[None, :])
    np.testing.assert_allclose(inputs, 0.0, atol=1e-4)


def test_nothing_to_explain_gives_nothing(package: ModelPackage, regular: ShopperState) -> None:
    context = requests(Recommender(package), regular, "model")[0]
    assert Explainer(package).contributions(context, np.empty(0, np.int32), np.empty(0), "model") == []
