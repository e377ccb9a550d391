"""Groups of cases against the plain rule that makes them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.history import History
from features.products import product_stats
from features.shopper import fold
from features.windows import Window
from tests.features.histories import DAY, FEATURES, START, Bought, history, orders
from training.evaluation.slices import CART_SIZES, OTHER, Slicing, by_step, is_repeat, most_frequent, slicings
from training.protocol import Case, make_cases


def labels(slicing: Slicing) -> list[str]:
    return [slicing.labels[code] for code in slicing.code]


def cases_of(past: History) -> list[Case]:
    return make_cases(past, Window(START, START + 10**8), hidden_share=0, min_products=2, seed=1)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_cart_sizes_fall_into_the_range_that_their_label_names(sizes: list[int]) -> None:
    for size, label in zip(sizes, labels(by_step(np.array(sizes), CART_SIZES)), strict=True):
        low, _, high = label.rstrip("+").partition("-")
        assert int(low) <= size <= (int(high) if high else 10**9)


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40), st.integers(1, 8))
def test_the_most_frequent_values_keep_their_name_and_the_rest_is_other(values: list[str], limit: int) -> None:
    kept = [name for name, _ in sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))[:limit]]
    slicing = most_frequent(values, limit)
    assert labels(slicing) == [value if value in kept else OTHER for value in values]
    assert slicing.labels == kept + [OTHER] * (len(set(values)) > limit)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=20))
def test_every_case_is_in_exactly_one_group(values: list[str]) -> None:
    members = most_frequent(values, 2).members()
    assert (members.sum(axis=1) == 1).all()
    assert (members.sum(axis=0) > 0).all()


@given(orders())
def test_a_repeat_is_a_product_of_an_earlier_order_of_the_same_shopper(bought: list[Bought]) -> None:
    past = history(bought)
    cases = cases_of(past)
    if not cases:
        return
    for case, repeat in zip(cases, is_repeat(past, cases), strict=True):
        who = past.shopper[case.order]
        earlier = [n for n in range(len(past)) if past.shopper[n] == who and past.at[n] < case.at]
        assert repeat == any(case.hidden[0] in past.products_of(n) for n in earlier)


def test_each_case_is_described_by_what_was_known_before_it() -> None:
    later = START + 40 * DAY
    past = history(
        [
            *(Bought(START + day * DAY, 0, (1, 2)) for day in range(5)),
            Bought(later, 0, (1, 2, 4)),
            Bought(later + DAY, 2, (1, 11)),
            Bought(later + 2 * DAY, 2, (5, 7, 9)),
        ]
    )
    cases = make_cases(past, Window(later, later + 9 * DAY), hidden_share=0, min_products=2, seed=1)
    states = [
        fold((past.order(n) for n in range(c.order) if past.shopper[n] == past.shopper[c.order]), FEATURES)
        for c in cases
    ]
    stats = product_stats(past, later, FEATURES)
    found = slicings(past, cases, states, stats, channels=["web", "till", "web"], as_of=later)
    assert labels(found["history_length"]) == ["1-9", "0", "1-9"]
    assert labels(found["segment"]) == ["lapsed", "new", "new"]
    assert labels(found["shopper"]) == ["seen before", "never seen before", "never seen before"]
    assert labels(found["channel"]) == ["web", "till", "web"]
    assert labels(found["cart_size"]) == ["1-2", "1-2", "1-2"]
    assert labels(found["category"]) == ["Food"] * 3
    hidden = [int(case.hidden[0]) for case in cases]
    assert labels(found["product"]) == ["sold before" if row in (1, 2) else "never sold before" for row in hidden]
    assert labels(found["repeat"])[1:] == ["new", "new"]


def test_a_product_bought_since_the_cutoff_is_new_at_the_cutoff_but_a_repeat() -> None:
    cutoff = START + 10 * DAY
    past = history([Bought(START, 0, (1, 2)), Bought(cutoff + DAY, 0, (5, 7)), Bought(cutoff + 2 * DAY, 0, (5, 7))])
    (case,) = make_cases(past, Window(cutoff + 2 * DAY, cutoff + 9 * DAY), hidden_share=0, min_products=2, seed=1)
    assert is_repeat(past, [case]).tolist() == [True]
    assert is_repeat(past, [case], cutoff).tolist() == [False]


@pytest.mark.parametrize(("value", "label"), [(0, "1-2"), (2, "1-2"), (3, "3-5"), (10, "6-10"), (11, "11+")])
def test_borders_belong_to_the_group_that_names_them(value: int, label: str) -> None:
    assert labels(by_step(np.array([value]), CART_SIZES)) == [label]
