"""Metrics against definitions written out in plain Python, case by case."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.metrics import CUTS, Hidden, Lists, Products, Ratio, coverage, diversity, judge
from training.protocol import Case

SIZE, DEPTH = 25, 20
PRODUCTS = Products(
    price=np.where(np.arange(SIZE) % 7 == 3, np.nan, 1.0 + np.arange(SIZE) / 2),
    category=np.arange(SIZE) % 4,
    information=np.log2(2.0 + np.arange(SIZE)),
)


@dataclass(frozen=True)
class Judgement:
    """A ranked list and what was hidden."""

    ranked: list[int]
    hidden: set[int]


JUDGEMENTS = st.lists(
    st.builds(
        Judgement,
        st.lists(st.integers(0, SIZE - 1), unique=True, max_size=DEPTH),
        st.sets(st.integers(0, SIZE - 1), min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=12,
)


def lists_of(judgements: list[Judgement]) -> Lists:
    return Lists(np.array([j.ranked + [-1] * (DEPTH - len(j.ranked)) for j in judgements], dtype=np.int32))


def hidden_of(judgements: list[Judgement]) -> Hidden:
    none = np.empty(0, dtype=np.int32)
    return Hidden.of([Case(0, 0, none, np.array(sorted(j.hidden), dtype=np.int32)) for j in judgements])


def value(ratio: Ratio) -> float:
    return float(ratio.numerator.sum() / ratio.denominator.sum()) if ratio.denominator.sum() else math.nan


def mean(values: list[float]) -> float:
    known = [number for number in values if not math.isnan(number)]
    return sum(known) / len(known) if known else math.nan


def accuracy_by_hand(j: Judgement, k: int) -> dict[str, float]:
    places = [place for place, product in enumerate(j.ranked[:k]) if product in j.hidden]
    gain = sum(1 / math.log2(place + 2) for place in places)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(j.hidden))))
    return {
        "hit_rate": float(bool(places)),
        "recall": len(places) / len(j.hidden),
        "ndcg": gain / ideal,
        "mrr": 1 / (places[0] + 1) if places else 0.0,
    }


def shown_by_hand(j: Judgement, k: int) -> dict[str, float]:
    top = j.ranked[:k]
    pairs = [(a, b) for at, a in enumerate(top) for b in top[at + 1 :]]
    return {
        "novelty": mean([math.log2(2 + product) for product in top]),
        "price_shown": mean([float(PRODUCTS.price[product]) for product in top]),
        "diversity": 1 - mean([float(a % 4 == b % 4) for a, b in pairs]),
    }


def judge_by_hand(judgements: list[Judgement], k: int) -> dict[str, float]:
    per_case = [accuracy_by_hand(j, k) | shown_by_hand(j, k) for j in judgements]
    found = {name: mean([case[name] for case in per_case]) for name in per_case[0]}
    for cut in CUTS:
        for name in ("hit_rate", "recall"):
            found[f"{name}@{cut}"] = mean([accuracy_by_hand(j, cut)[name] for j in judgements])
    worth = {product: 0.0 if product % 7 == 3 else 1 + product / 2 for product in range(SIZE)}
    won = sum(worth[product] for j in judgements for product in set(j.ranked[:k]) & j.hidden)
    all_of_it = sum(worth[product] for j in judgements for product in j.hidden)
    found["value_weighted"] = won / all_of_it if all_of_it else math.nan
    return found


@given(JUDGEMENTS, st.integers(1, 12))
def test_every_metric_equals_its_definition(judgements: list[Judgement], k: int) -> None:
    judged = judge(lists_of(judgements), hidden_of(judgements), PRODUCTS, k)
    expected = judge_by_hand(judgements, k)
    assert judged.keys() == expected.keys()
    for name, ratio in judged.items():
        assert value(ratio) == pytest.approx(expected[name], nan_ok=True), name


@given(JUDGEMENTS, st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(judgements: list[Judgement], random: object) -> None:
    again = judgements.copy()
    random.shuffle(again)  # type: ignore[attr-defined]
    one, other = (judge(lists_of(j), hidden_of(j), PRODUCTS, 10) for j in (judgements, again))
    for name, ratio in one.items():
        assert value(ratio) == pytest.approx(value(other[name]), nan_ok=True), name


@given(st.lists(st.sets(st.integers(0, SIZE - 1), min_size=1, max_size=5), min_size=1, max_size=9))
def test_a_perfect_ranking_scores_one(hidden: list[set[int]]) -> None:
    perfect = [Judgement([*sorted(h), *sorted(set(range(SIZE)) - h)][:DEPTH], h) for h in hidden]
    judged = judge(lists_of(perfect), hidden_of(perfect), PRODUCTS, 10)
    for name in ("hit_rate", "recall", "ndcg", "mrr", "hit_rate@5", "recall@20"):
        assert value(judged[name]) == pytest.approx(1.0)
    priced = any(product % 7 != 3 for wanted in hidden for product in wanted)
    assert value(judged["value_weighted"]) == pytest.approx(1.0 if priced else math.nan, nan_ok=True)


@given(JUDGEMENTS)
def test_longer_lists_never_lose_hits(judgements: list[Judgement]) -> None:
    judged = judge(lists_of(judgements), hidden_of(judgements), PRODUCTS, 10)
    for name in ("hit_rate", "recall"):
        rates = [value(judged[f"{name}@{cut}"]) for cut in CUTS]
        assert rates == sorted(rates)
        assert value(judged[name]) == value(judged[f"{name}@10"])


def test_a_hit_counts_only_in_its_own_case() -> None:
    judgements = [Judgement([1, 2], {3}), Judgement([3, 4], {1})]
    assert value(judge(lists_of(judgements), hidden_of(judgements), PRODUCTS, 10)["hit_rate"]) == 0


def test_empty_lists_are_misses_without_novelty_or_price() -> None:
    nothing = [Judgement([], {1}), Judgement([], {24})]
    judged = judge(lists_of(nothing), hidden_of(nothing), PRODUCTS, 10)
    assert value(judged["hit_rate"]) == value(judged["mrr"]) == 0
    assert math.isnan(value(judged["novelty"]))
    assert math.isnan(value(judged["price_shown"]))


def test_coverage_counts_each_shown_product_once() -> None:
    assert coverage(lists_of([Judgement([1, 2], {3}), Judgement([2, 3], {1}), Judgement([], {1})]), 12) == 3 / 12


def test_diversity_is_none_within_a_category_and_full_across() -> None:
    found = diversity(lists_of([Judgement([0, 4, 8], {1}), Judgement([0, 1, 2, 3], {1})]), PRODUCTS.category)
    assert found.tolist() == [0.0, 1.0]
