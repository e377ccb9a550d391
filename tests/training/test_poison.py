"""The models that drills force to serve are wrong in the way they say, and in no other."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from features.shopper import ShopperState
from tests.support.poison import overpriced, repeated, shuffled, slowed
from training.examples import Examples
from training.package import ModelPackage
from training.recommender import Recommender


def test_shuffled_labels_are_as_many_in_each_draw_on_other_rows() -> None:
    chance = np.random.default_rng(1)
    group = np.array([50, 1, 200], dtype=np.int32)
    label = (chance.random(251) < 0.2).astype(np.int8)
    examples = Examples(chance.random((251, 3)).astype(np.float32), label, group, 3)
    found = shuffled(examples, np.random.default_rng(2))
    for start, end in ((0, 50), (50, 51), (51, 251)):
        assert found[start:end].sum() == label[start:end].sum()
    assert (found != label).mean() > 0.2


def test_a_price_bug_shows_every_price_a_hundredfold(package: ModelPackage) -> None:
    dear = overpriced(package)
    known = ~np.isnan(package.matrix.price)
    assert known.any()
    np.testing.assert_allclose(dear.matrix.price[known], 100 * package.matrix.price[known], rtol=1e-5)


def test_repeated_trees_add_up_to_the_same_scores(package: ModelPackage) -> None:
    once, often = (lgb.Booster(model_str=text) for text in (package.gbm, repeated(package.gbm, 7)))
    assert often.num_trees() == 7 * once.num_trees()
    rows = np.random.default_rng(3).random((40, once.num_feature()))
    np.testing.assert_allclose(often.predict(rows), once.predict(rows), atol=1e-9)


def test_a_slowed_model_recommends_what_the_blend_of_all_candidates_does(package: ModelPackage) -> None:
    slow = slowed(package, 3)
    assert (slow.ranking.shortlist, slow.ranking.head) == (0, "blend")
    cart, at = package.products.ids[:2], package.as_of + 60

    def gbm(model: ModelPackage) -> list[tuple[str, float]]:
        found = Recommender(model).recommend(cart, ShopperState.empty(), at, 10, "gbm")
        return [(item.product_id, pytest.approx(item.score, abs=1e-4)) for item in found]

    assert gbm(slow) == gbm(package)
