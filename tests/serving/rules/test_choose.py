"""What rules choose: random rules against a naive reading of them, and each kind by an example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.context import Context
from serving.rules import Pool, Situation, choose
from tests.serving.rules.builders import (
    CARTS,
    NOW,
    PRODUCTS,
    RULES,
    SITUATIONS,
    chosen,
    compiled,
    context,
    holds,
    matrix,
    may_be_shown,
    pool,
    selected,
    shopper,
)

NOBODY = Situation()
SOME = settings(max_examples=100, deadline=None)


def rows(
    content: Mapping[str, Any], situation: Situation = NOBODY, *, cart: tuple[int, ...] = (), k: int = 10
) -> list[int]:
    return chosen(content, context(cart), situation, pool(cart), k).rows.tolist()


def best(k: int = PRODUCTS, cart: tuple[int, ...] = ()) -> list[int]:
    return pool(cart).rows[:k].tolist()


REQUESTS = st.builds(context, CARTS, st.sampled_from([None, shopper()]))


@given(content=RULES, situation=SITUATIONS, request=REQUESTS, k=st.integers(1, 12), odds=st.booleans())
@SOME
def test_valid_rules_never_raise_and_never_show_what_they_exclude(
    content: dict[str, Any], situation: Situation, request: Context, *, k: int, odds: bool
) -> None:
    content |= {
        "caps": {"department": PRODUCTS} | content.get("caps", {})
    }  # without any rule, a list is taken as it is
    found = chosen(content, request, situation, replace(pool(), log_odds=odds), k)
    shown = found.rows.tolist()
    assert len(set(shown)) == len(shown) <= k
    assert all(may_be_shown(content, request, situation, row) for row in shown)
    assert np.isfinite(found.scores).all()


@given(content=RULES, situation=SITUATIONS, request=REQUESTS)
@SOME
def test_nothing_else_is_excluded(content: dict[str, Any], situation: Situation, request: Context) -> None:
    excluding = ("blocked", "restricted", "recently_bought", "price_bands")
    only = {part: content[part] for part in excluding if part in content} | {"caps": {"category": 40}}
    shown = chosen(only, request, situation, pool(), PRODUCTS).rows.tolist()
    assert set(shown) == {row for row in range(PRODUCTS) if may_be_shown(only, request, situation, row)}


@pytest.mark.parametrize(
    ("restriction", "may", "may_not"),
    [
        ({"minimum_age": 18}, [(18, None)], [(17, "NL"), (None, "NL")]),
        ({"countries": ["NL"]}, [(None, "nl")], [(30, "DE"), (30, None), (30, " ")]),
        ({"not_in_countries": ["NL"]}, [(None, "DE")], [(30, "Nl"), (30, None)]),
    ],
)
def test_what_is_not_known_of_a_shopper_counts_against_a_restricted_product(
    restriction: dict[str, Any], may: list[tuple[int, str]], may_not: list[tuple[int, str]]
) -> None:
    content = {"restricted": [{"select": {"products": ["p003"]}, **restriction}]}
    for age, country in may:
        assert 3 in rows(content, Situation.of(None, country, age, []), k=PRODUCTS)
    for age, country in may_not:
        assert rows(content, Situation.of(None, country, age, []), k=PRODUCTS) == [row for row in best() if row != 3]


def test_of_two_intervals_the_longer_path_counts() -> None:
    days = {"Food > A": 5.0, "Food": 20.0}
    for listed in (list(days), list(days)[::-1]):
        intervals = [{"category": path, "days": days[path]} for path in listed]
        content = {"recently_bought": {"share": 1.0, "intervals": intervals}}
        request = context((), shopper(), NOW + 10 * 86_400)
        shown = chosen(content, request, NOBODY, pool(), PRODUCTS).rows.tolist()
        categories = {matrix().catalogue.categories[row] for row in range(PRODUCTS) if row not in shown}
        assert categories
        assert "Food > A" not in categories


@given(content=RULES, situation=SITUATIONS, cart=CARTS, k=st.integers(1, 12))
@SOME
def test_caps_and_lengths_hold_and_nothing_is_left_out_that_would_fit(
    content: dict[str, Any], situation: Situation, cart: tuple[int, ...], k: int
) -> None:
    request, products = context(cart), matrix().catalogue
    shown = chosen(content, request, situation, pool(cart), k).rows.tolist()
    lengths = [rule["at_most"] for rule in content.get("placements", []) if holds(rule["when"], request, situation)]
    assert len(shown) <= min([k, *lengths])

    def over(listed: list[int]) -> bool:
        caps = content.get("caps", {})
        brands = Counter(products.brands[row] for row in listed if products.brands[row])
        categories = Counter(products.categories[row] for row in listed)
        return (
            max(categories.values(), default=0) > caps.get("category", 99)
            or len(listed) > caps.get("department", 99)
            or max(brands.values(), default=0) > caps.get("brand", 99)
            or any(sum(selected(g["select"], row) for row in listed) > g["at_most"] for g in caps.get("groups", []))
        )

    assert not over(shown)
    if len(shown) < min([k, *lengths]):
        left = [row for row in best(cart=cart) if row not in shown and may_be_shown(content, request, situation, row)]
        assert all(over([*shown, row]) for row in left)


@given(content=RULES, situation=SITUATIONS, cart=CARTS, seed=st.integers(0, 99))
@SOME
def test_the_order_in_which_a_pool_is_handed_over_does_not_matter(
    content: dict[str, Any], situation: Situation, cart: tuple[int, ...], seed: int
) -> None:
    given_pool, request = pool(cart), context(cart)
    order = np.random.default_rng(seed).permutation(given_pool.rows.size)
    # An odd constant keeps boosted scores distinct, which is what makes the order of the pool say nothing.
    content = {**content, "boosts": {"promotions": [{"select": {"brands": ["Brand 1"]}, "log_odds": 0.377}]}}
    shuffled = Pool(given_pool.rows[order], given_pool.scores[order], log_odds=True)
    first, second = (chosen(content, request, situation, each) for each in (given_pool, shuffled))
    assert first.rows.tolist() == second.rows.tolist()
    assert first.scores.tolist() == second.scores.tolist()


@given(cart=CARTS, k=st.integers(1, 50), best_of=st.integers(2, 60))
@SOME
def test_lambda_1_is_the_plain_order(cart: tuple[int, ...], k: int, best_of: int) -> None:
    asked = {"diversity": {"lambda": 1.0, "best": best_of}, "caps": {"category": 1000}}
    assert rows(asked, cart=cart, k=k) == best(k, cart)


def test_diversity_is_maximal_marginal_relevance() -> None:
    given_pool, weight, vectors = pool(), 0.6, matrix().together.vectors.astype(np.float64)
    head = given_pool.rows[:20].tolist()
    score = dict(zip(head, given_pool.scores[:20].tolist(), strict=True))
    relevance = {row: (score[row] - score[head[-1]]) / (score[head[0]] - score[head[-1]]) for row in head}
    expected: list[int] = []
    for _ in range(10):
        like = {row: max([0.0, *(float(vectors[row] @ vectors[other]) for other in expected)]) for row in head}
        worth = {row: weight * relevance[row] - (1 - weight) * like[row] for row in head if row not in expected}
        expected.append(max(worth, key=lambda row: worth[row]))
    assert rows({"diversity": {"lambda": weight, "best": 20}}) == expected
    assert expected != best(10)


def test_less_lambda_makes_lists_less_alike() -> None:
    vectors = matrix().together.vectors

    def likeness(weight: float) -> float:
        shown = rows({"diversity": {"lambda": weight}}, k=8)
        return float(np.mean([vectors[a] @ vectors[b] for a, b in combinations(shown, 2)]))

    assert likeness(0.2) < likeness(1.0)


def test_a_pinned_product_takes_its_place_and_the_others_keep_their_order() -> None:
    last = best()[-1]
    content = {"pinned": [{"product": f"p{last:03d}", "position": 3}]}
    assert rows(content, k=5) == [*best(2), last, *best(4)[2:]]
    assert rows(content, k=2) == best(2)


@given(position=st.integers(1, 8), k=st.integers(1, 8), cap=st.integers(1, 3))
@SOME
def test_pinned_products_stand_where_they_were_pinned_if_the_list_is_that_long(position: int, k: int, cap: int) -> None:
    content = {"pinned": [{"product": "p004", "position": position}], "caps": {"category": cap}}
    shown = rows(content, k=k)
    assert (4 in shown) >= (position <= k)
    if position <= len(shown):
        assert shown[position - 1] == 4


@pytest.mark.parametrize("why", ["cart", "blocked", "restricted", "stock"])
def test_no_pin_brings_back_what_is_excluded(why: str) -> None:
    content: dict[str, Any] = {"pinned": [{"product": "p005", "position": 1}]}
    over, cart = matrix(), (5,) if why == "cart" else ()
    if why == "blocked":
        content["blocked"] = [{"select": {"products": ["p005"]}}]
    if why == "restricted":
        content["restricted"] = [{"select": {"products": ["p005"]}, "minimum_age": 18}]
    if why == "stock":
        in_stock = np.arange(PRODUCTS) != 5
        over = replace(over, catalogue=replace(over.catalogue, in_stock=in_stock))
    request = replace(context(cart), products=over)
    without_it = Pool(pool((5,)).rows, pool((5,)).scores, log_odds=True)
    assert 5 not in choose(compiled(content, over), request, NOBODY, without_it, 5).rows.tolist()


def test_a_pinned_product_that_the_arm_did_not_rank_is_shown_and_told_apart() -> None:
    found = chosen({"pinned": [{"product": "p005", "position": 2}]}, context(), NOBODY, pool((5,)), 3)
    assert found.rows[1] == 5
    assert found.ranked.tolist() == [True, False, True]
    assert found.added[1] == found.scores[1] == 0.0  # the lowest of the pool


def test_of_two_pins_for_one_place_the_first_that_holds_counts() -> None:
    at_two = {"steps": [2]}
    content = {
        "pinned": [{"product": "p001", "position": 1, "when": at_two}, {"product": "p002", "position": 1}],
    }
    assert rows(content, Situation(step=2))[0] == 1
    assert rows(content, Situation(step=1))[0] == 2


def test_boosts_add_log_odds_and_multiply_amounts() -> None:
    content = {"boosts": {"promotions": [{"select": {"products": ["p000"]}, "log_odds": 2.0}]}}
    amounts = Pool(np.array([1, 0], np.int32), np.array([3.0, 1.0]), log_odds=False)
    found = chosen(content, context(), NOBODY, amounts, 2)
    assert found.rows.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [np.exp(2.0), 3.0])
    np.testing.assert_allclose(found.scores - found.added, [1.0, 3.0])
    odds = chosen(content, context(), NOBODY, replace(amounts, log_odds=True), 2)
    np.testing.assert_allclose(odds.scores, [3.0, 3.0])


def test_a_margin_boost_brings_forward_what_earns_more_of_its_price() -> None:
    products = matrix().catalogue
    margin = np.full(PRODUCTS, np.nan, dtype=np.float32)
    margin[:2] = matrix().price[:2] * np.array([0.1, 0.9], np.float32)
    over = replace(matrix(), catalogue=replace(products, margin=margin))
    rules = compiled({"boosts": {"margin": 2.0}}, over)
    boost = rules.boost(context(), NOBODY, np.array([0, 1, 2], np.int32))
    np.testing.assert_allclose(boost, [0.2, 1.8, 1.0], rtol=1e-5)  # 2: the usual share, midway


@pytest.mark.parametrize(("paid", "bought", "shown"), [(2.0, "dearest_line", 2.0), (2.0, "cart_value", 6.0)])
def test_a_price_band_is_relative_to_the_cart(paid: float, bought: str, shown: float) -> None:
    content = {"price_bands": [{"of": bought, "at_most": 1.0}]}
    found = rows(content, Situation.of(None, None, None, [(3.0, paid)]), k=PRODUCTS)
    assert set(found) == {row for row in range(PRODUCTS) if matrix().price[row] <= shown + 1e-6}


def test_days_begin_and_end_in_the_files_time_zone() -> None:
    content = {
        "timezone": "Pacific/Auckland",  # 13 hours ahead of UTC in December
        "blocked": [
            {"select": {"categories": ["Food"]}, "when": {"first_day": "2023-12-15", "last_day": "2023-12-15"}}
        ],
    }
    midnight = 1_702_551_600  # 2023-12-14 11:00 UTC
    lengths = [
        chosen(content, context(now=now), NOBODY, pool(), 5).rows.size
        for now in (midnight - 1, midnight, midnight + 86_399, midnight + 86_400)
    ]
    assert lengths == [5, 0, 0, 5]


def test_without_rules_an_arms_own_list_comes_back_untouched() -> None:
    rules, given_pool = compiled({"timezone": "Europe/Amsterdam"}), pool()
    found = choose(rules, context(), NOBODY, given_pool, 7)
    assert rules.pool(7) == 7
    assert found.rows.tolist() == given_pool.rows[:7].tolist()
    assert found.scores.tolist() == given_pool.scores[:7].tolist()
    assert not found.added.any()


@pytest.mark.parametrize("content", [{"caps": {"brand": 1}}, {"diversity": {"lambda": 0.5}}, {"boosts": {"margin": 1}}])
def test_an_empty_pool_gives_an_empty_list(content: dict[str, Any]) -> None:
    nothing = Pool(np.empty(0, np.int32), np.empty(0), log_odds=True)
    assert chosen(content, context(), NOBODY, nothing, 5).rows.size == 0


def test_names_that_the_catalogue_does_not_hold_are_told() -> None:
    select = {"products": ["p001", "gone"], "categories": ["Food > Z"], "brands": ["Nobody"]}
    assert compiled({"blocked": [{"select": select}]}).unknown == ["gone", "Food > Z", "nobody"]


def test_a_request_of_another_moment_is_asked_about_that_moment() -> None:
    share = {"recently_bought": {"share": 1.0, "days": 5.0}}
    later = context((), shopper(), NOW + 100 * 86_400)
    soon = chosen(share, context((), shopper()), NOBODY, pool(), PRODUCTS)
    assert soon.rows.size < chosen(share, later, NOBODY, pool(), PRODUCTS).rows.size == PRODUCTS
