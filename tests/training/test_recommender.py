"""What every arm promises, whatever the cart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError
from features.context import ProductMatrix
from features.cooccurrence import cooccurrence
from features.products import product_stats
from features.segments import popular_by_segment
from features.shopper import ShopperState
from tests.features.histories import DAY, FEATURES, START, Bought, catalogue, history
from training.package import ModelPackage
from training.recommender import ARMS, Recommender


@pytest.fixture(scope="module")
def recommender(package: ModelPackage) -> Recommender:
    """Ranks with the corner shop's package."""
    return Recommender(package)


@pytest.mark.parametrize("arm", ARMS)
@given(data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cart_gives_distinct_eligible_products(
    recommender: Recommender, regular: ShopperState, arm: str, data: st.DataObject
) -> None:
    products = recommender.package.products
    cart = data.draw(st.lists(st.sampled_from([*products.ids, "unknown", "ünïcode", ""]), max_size=30))
    k = data.draw(st.integers(1, 40))
    shopper = data.draw(st.sampled_from([regular, ShopperState.empty()]))
    answer = recommender.recommend(
        cart, shopper, recommender.package.as_of + data.draw(st.integers(-9, 9)) * DAY, k, arm
    )
    ids = [item.product_id for item in answer]
    assert 0 < len(ids) <= k
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(cart)
    assert all(products.in_stock[recommender.package.matrix.row_of[product]] for product in ids)
    assert all(np.isfinite(item.score) and item.reason for item in answer)
    assert [item.score for item in answer] == sorted((item.score for item in answer), reverse=True)


@pytest.mark.parametrize("arm", ARMS)
def test_order_and_duplicates_of_a_cart_do_not_matter(
    recommender: Recommender, regular: ShopperState, arm: str
) -> None:
    cart = recommender.package.products.ids[5:12]
    now = recommender.package.as_of
    answers = [recommender.recommend(variant, regular, now, 10, arm) for variant in (cart, cart[::-1], cart * 3)]
    assert answers[0] == answers[1] == answers[2]


def test_an_unknown_arm_names_the_known_ones(recommender: Recommender) -> None:
    with pytest.raises(
        ConfigError,
        match="model, value, gbm, neural, student, student_int8, signals, frequently_bought_together, popularity",
    ):
        recommender.recommend([], ShopperState.empty(), 0.0, 5, "magic")


def test_a_habit_is_given_as_the_reason(recommender: Recommender, regular: ShopperState) -> None:
    answer = recommender.recommend([], regular, regular.last_at + 7 * DAY, 10)
    assert any(item.reason.startswith("You ") for item in answer)


def test_a_partner_in_the_cart_is_given_as_the_reason(recommender: Recommender) -> None:
    package = recommender.package
    cart = [package.products.ids[int(package.matrix.by_popularity[0])]]
    answer = recommender.recommend(cart, ShopperState.empty(), package.as_of, 3, "frequently_bought_together")
    title = package.products.titles[package.matrix.row_of[cart[0]]]
    assert answer[0].reason == f"Often bought with {title} in your cart"


def test_a_catalogue_of_one_product_works(package: ModelPackage) -> None:
    one = history([Bought(START, 0, (0,)), Bought(START + DAY, 0, (0,))], products=1)
    late = START + 9 * DAY
    matrix = ProductMatrix(
        catalogue(1), product_stats(one, late, FEATURES), cooccurrence(one, late, FEATURES), FEATURES
    )
    alone = Recommender(replace(package, matrix=matrix, popular=popular_by_segment(one, late, FEATURES)))
    for arm in ARMS:
        assert [item.product_id for item in alone.recommend([], ShopperState.empty(), late, 10, arm)] == ["p000"]
        assert alone.recommend(["p000"], ShopperState.empty(), late, 10, arm) == []


def test_products_out_of_stock_are_never_recommended(package: ModelPackage) -> None:
    in_stock = np.zeros(len(package.products), dtype=bool)
    in_stock[-3:] = True
    products = replace(package.products, in_stock=in_stock)
    scarce = Recommender(replace(package, matrix=replace(package.matrix, catalogue=products)))
    for arm in ARMS:
        answer = scarce.recommend(package.products.ids[:2], ShopperState.empty(), package.as_of, 10, arm)
        assert {item.product_id for item in answer} <= set(package.products.ids[-3:])


def test_with_margins_told_value_is_probability_times_margin(package: ModelPackage, regular: ShopperState) -> None:
    margin = np.full(len(package.products), np.nan, dtype=np.float32)
    margin[::2] = package.matrix.price[::2] * 0.25
    margin[0] = 50.0
    products = replace(package.products, margin=margin)
    told = Recommender(replace(package, matrix=replace(package.matrix, catalogue=products)))
    context = told.context(package.products.ids[1:3], regular, package.as_of)
    rows, scores = told.rank(context, 1_000, "value")
    earned = scores / told.probability(context, rows)
    known, priced = ~np.isnan(margin[rows]), ~np.isnan(package.matrix.price[rows])
    np.testing.assert_allclose(earned[known], margin[rows[known]], rtol=1e-5)
    plain = ~known & priced
    np.testing.assert_allclose(earned[plain], package.matrix.price[rows[plain]] * 0.25, rtol=1e-5)
    assert known.any()
    assert plain.any()


def test_value_is_probability_times_price(recommender: Recommender, regular: ShopperState) -> None:
    matrix = recommender.package.matrix
    context = recommender.context(matrix.catalogue.ids[:2], regular, recommender.package.as_of)
    rows, scores = recommender.rank(context, 1_000, "value")
    known = ~np.isnan(matrix.price[rows])
    value = recommender.probability(context, rows)[known] * matrix.price[rows[known]]
    np.testing.assert_allclose(scores[known], value, rtol=1e-6)
    assert known.sum() > 50
    assert set(rows.tolist()) == set(recommender.rank(context, 1_000, "model")[0].tolist())


def test_probabilities_of_all_candidates_add_up_to_at_most_about_one(
    recommender: Recommender, regular: ShopperState
) -> None:
    for shopper in (regular, ShopperState.empty()):
        context = recommender.context(recommender.package.products.ids[:3], shopper, recommender.package.as_of)
        probability = recommender.probability(context, recommender.rank(context, 1_000)[0])
        assert ((probability > 0) & (probability < 1)).all()
        assert 0.05 < probability.sum() < 1.5


def test_discovery_brings_products_the_shopper_has_not_bought_forward(
    package: ModelPackage, regular: ShopperState
) -> None:
    shares = []
    for discovery in (0.0, 1.0, 100.0):
        recommender = Recommender(replace(package, ranking=package.ranking.model_copy(update={"discovery": discovery})))
        context = recommender.context(package.products.ids[:1], regular, package.as_of)
        rows, _ = recommender.rank(context, 10)
        shares.append(float((~np.isin(package.products.keys[rows], regular.products.keys)).mean()))
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


def test_arms_asked_about_one_request_after_another_do_not_mix_up_requests(
    recommender: Recommender, regular: ShopperState
) -> None:
    ids, now = recommender.package.products.ids, recommender.package.as_of
    first, second = recommender.context(ids[:1], regular, now), recommender.context(ids[5:9], regular, now)
    alone = [recommender.rank(context, 10, arm)[0] for arm in ("model", "student") for context in (first, second)]
    fresh = Recommender(recommender.package)
    mixed = [fresh.rank(context, 10, arm)[0] for context in (second, first) for arm in ("student", "model")]
    for kept, again in zip(alone, (mixed[3], mixed[1], mixed[2], mixed[0]), strict=True):
        assert kept.tolist() == again.tolist()
