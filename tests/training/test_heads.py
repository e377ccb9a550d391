"""Whichever head the settings choose ranks, end to end, with probabilities of the same meaning and nothing to spare."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from configs import load_settings
from configs.errors import ConfigError
from configs.settings import RankingSettings
from features.shopper import ShopperState
from training.card import HEADS as DESCRIBED
from training.heads import HEADS
from training.package import ModelPackage
from training.ranker import COARSE
from training.recommender import ARMS, SCORES, Recommender


def headed(package: ModelPackage, head: str, shortlist: int = 0) -> Recommender:
    changed = {"head": head, "shortlist": shortlist}
    return Recommender(replace(package, ranking=package.ranking.model_copy(update=changed)))


@pytest.mark.parametrize("head", HEADS)
def test_each_head_ranks_a_live_cart_with_calibrated_probabilities(
    package: ModelPackage, regular: ShopperState, head: str
) -> None:
    recommender = headed(package, head)
    cart = package.products.ids[:3]
    assert len(recommender.recommend(cart, regular, package.as_of, 10)) == 10
    context = recommender.context(cart, regular, package.as_of)
    for arm in ("model", "value"):
        probability = recommender.probability(context, recommender.rank(context, 1_000, arm)[0])
        assert ((probability > 0) & (probability < 1)).all()
        assert 0.05 < probability.sum() < 1.5


@pytest.mark.parametrize("head", sorted(set(HEADS) - {"blend"}))
def test_a_head_of_one_score_orders_known_products_as_that_score_does(
    package: ModelPackage, regular: ShopperState, head: str
) -> None:
    recommender = headed(package, head)
    context = recommender.context(package.products.ids[:3], regular, package.as_of)
    bought = [row for row in recommender.rank(context, 1_000)[0] if package.products.keys[row] in regular.products.keys]
    by_score = [row for row in recommender.rank(context, 1_000, head)[0] if row in bought]
    assert len(bought) > 5
    assert bought == by_score


@pytest.mark.parametrize("head", HEADS)
def test_a_request_computes_only_the_scores_of_its_head(
    package: ModelPackage, regular: ShopperState, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender = headed(package, head)
    asked: list[str] = []

    def noting(name: str) -> object:
        return lambda features: asked.append(name) or np.zeros(len(features))

    monkeypatch.setattr(recommender._ranker, "_scorers", {name: noting(name) for name in SCORES})
    context = recommender.context([], regular, package.as_of)
    for arm in ("model", "value", "model"):
        recommender.rank(context, 10, arm)
    assert sorted(asked) == sorted(HEADS[head])
    recommender.rank(context, 10, "neural")
    assert sorted(asked) == sorted({*HEADS[head], "neural"})


def test_only_the_students_best_are_scored_by_the_blend(package: ModelPackage, regular: ShopperState) -> None:
    cart, few = package.products.ids[:3], 12
    every, student, both = headed(package, "blend"), headed(package, COARSE), headed(package, "blend", few)
    context = both.context(cart, regular, package.as_of)
    blended, cheap, mixed = (recommender._scored(context).logit for recommender in (every, student, both))
    best = np.argsort(-cheap, kind="stable")[:few]
    rest = np.setdiff1d(np.arange(cheap.size), best)
    # Of ONNX's trees a matrix of few rows may be added up in another order than one of many.
    np.testing.assert_allclose(mixed[best], blended[best], atol=1e-5)
    moved = mixed[rest] - cheap[rest]
    np.testing.assert_allclose(moved, moved[0], atol=1e-9)
    assert len(mixed) > 3 * few


def test_the_shortlist_keeps_the_share_that_the_student_gives_it(package: ModelPackage, regular: ShopperState) -> None:
    cart, few = package.products.ids[:3], 12
    student, both = headed(package, COARSE), headed(package, "blend", few)
    context = both.context(cart, regular, package.as_of)
    cheap, mixed = (recommender._scored(context).logit for recommender in (student, both))
    best = np.argsort(-cheap, kind="stable")[:few]
    share, kept = (np.exp(logit - logit.max()) / np.exp(logit - logit.max()).sum() for logit in (cheap, mixed))
    assert kept[best].sum() == pytest.approx(share[best].sum(), abs=1e-9)


def test_a_constant_that_the_trees_add_to_every_score_changes_no_list(
    package: ModelPackage, regular: ShopperState
) -> None:
    known, moved = headed(package, "blend", 12), headed(package, "blend", 12)
    trees = moved._ranker._scorers["gbm"]
    moved._ranker._scorers["gbm"] = lambda features: trees(features) - 5.0
    context = known.context(package.products.ids[:3], regular, package.as_of)
    ranked, other = (recommender.rank(context, 40)[0] for recommender in (known, moved))
    assert ranked.tolist() == other.tolist()


def test_with_a_shortlist_dear_models_see_no_more_rows_than_it_has(
    package: ModelPackage, regular: ShopperState, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommender = headed(package, "blend", 12)
    seen: dict[str, int] = {}

    def counting(name: str) -> object:
        return lambda features: seen.update({name: len(features)}) or np.zeros(len(features))

    monkeypatch.setattr(recommender._ranker, "_scorers", {name: counting(name) for name in SCORES})
    recommender.rank(recommender.context([], regular, package.as_of), 10)
    assert (seen.pop("gbm"), seen.pop("neural")) == (12, 12)
    assert list(seen) == [COARSE]


def test_settings_package_arms_and_card_know_the_same_heads(package: ModelPackage) -> None:
    chosen = get_args(RankingSettings.model_fields["head"].annotation)
    assert set(chosen) == set(HEADS) == set(package.heads) == set(DESCRIBED)
    assert {score for scores in HEADS.values() for score in scores} == set(SCORES) <= set(ARMS)


def test_the_settings_refuse_a_head_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLWISE_RANKING__HEAD", "oracle")
    with pytest.raises(ConfigError, match=r"ranking\.head.*'blend'.*'student_int8'.*found 'oracle'"):
        load_settings()
