"""The models that drills force to serve are wrong in the way they say, and in no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.shopper import ShopperState
from tests.support.poison import overpriced, shuffled, slowed, widened
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


def test_a_widened_network_scores_the_same(package: ModelPackage) -> None:
    rows = np.random.default_rng(3).random((40, package.neural.scaling.mean.size)).astype(np.float32)
    wide = widened(package.neural, 300)
    assert [weight.shape[1] for weight in wide.weights[-3:]] == [300, 300, 1]
    np.testing.assert_allclose(wide.score(rows), package.neural.score(rows), rtol=1e-4, atol=1e-4)


def test_a_slowed_model_recommends_what_the_blend_of_all_candidates_does(package: ModelPackage) -> None:
    slow = slowed(package, 300)
    assert (slow.ranking.shortlist, slow.ranking.head) == (0, "blend")
    cart, at = package.products.ids[:2], package.as_of + 60

    def blend(model: ModelPackage) -> list[tuple[str, float]]:
        found = Recommender(model).recommend(cart, ShopperState.empty(), at, 10, "model")
        return [(item.product_id, pytest.approx(item.score, abs=1e-4)) for item in found]

    thorough = package.ranking.model_copy(update={"shortlist": 0, "head": "blend"})
    assert blend(slow) == blend(replace(package, ranking=thorough))
