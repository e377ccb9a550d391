"""Pair counts that grow: whatever the steps, they equal counting everything at once, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, permutations, product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from configs.errors import DataError
from features.cooccurrence import Cooccurrence, cooccurrence, cooccurrences, weigh
from features.history import Catalogue, History
from features.pair_counts import OrderCounts, PairCounts
from tests.features.histories import DAY, FEATURES, START, Bought, catalogue, history, orders

LATE = START + 10**9
FEW = FEATURES.model_copy(update={"neighbours": 3, "category_neighbours": 1})
"""So that ties at the border of what is kept occur."""

moments = st.lists(st.integers(-1, 401).map(lambda step: START + step * DAY // 4), min_size=1, max_size=5).map(sorted)
baskets = st.lists(st.lists(st.integers(0, 5), max_size=5), max_size=12)


def counted(orders: Sequence[Sequence[int]], items: int = 6) -> PairCounts:
    start = np.cumsum([0, *map(len, orders)], dtype=np.int64)
    return PairCounts.none(items).update(np.array([*chain(*orders)], dtype=np.int32), start)


def by_hand(orders: Sequence[Sequence[int]], items: int = 6) -> NDArray[np.int64]:
    table = np.zeros((items, items), dtype=np.int64)
    for order in orders:
        for pair in product(set(order), repeat=2):
            table[pair] += 1
    return table


def assert_same_counts(found: PairCounts, expected: PairCounts) -> None:
    assert found.orders == expected.orders
    for part in ("indptr", "indices", "data"):
        left, right = getattr(found.together, part), getattr(expected.together, part)
        assert left.dtype == right.dtype
        assert left.tolist() == right.tolist()


def assert_same(found: OrderCounts, expected: OrderCounts) -> None:
    for part in ("products", "leaf", "parent"):
        assert_same_counts(getattr(found, part), getattr(expected, part))


def arrays(together: Cooccurrence) -> dict[str, bytes]:
    """Return everything in it as bytes, so that equality is to the bit."""
    neighbours = {"cosine": together.cosine, "confidence": together.confidence}
    neighbours |= {"leaf": together.leaf.confidence, "parent": together.parent.confidence}
    found = {
        f"{name} {part}": getattr(of, part)
        for name, of in neighbours.items()
        for part in ("start", "partner", "weight")
    }
    found |= {"leaf share": together.leaf.share, "parent share": together.parent.share, "vectors": together.vectors}
    return {name: f"{array.dtype}{array.shape}".encode() + array.tobytes() for name, array in found.items()}


def in_steps(known: History, cuts: Sequence[int]) -> OrderCounts:
    """Return the counts of all orders, updated at each cut."""
    counts = OrderCounts.none(known.catalogue)
    for since, until in zip([0, *cuts], [*cuts, LATE], strict=True):
        counts = counts.update(known.before(until).since(since))
    return counts


@given(baskets)
@settings(max_examples=80, deadline=None)
def test_counts_are_those_made_by_hand(orders: list[list[int]]) -> None:
    counts = counted(orders)
    assert counts.together.toarray().tolist() == by_hand(orders).tolist()
    assert counts.single.tolist() == by_hand(orders).diagonal().tolist()
    assert counts.orders == len(orders)


@given(orders(), moments)
@settings(max_examples=60, deadline=None)
def test_updating_in_steps_equals_counting_at_once(past: list[Bought], cuts: list[int]) -> None:
    known = history(past)
    at_once = OrderCounts.none(known.catalogue).update(known)
    assert_same(in_steps(known, cuts), at_once)
    assert at_once.products.together.toarray().tolist() == by_hand([order.products for order in past], 12).tolist()


@given(orders(), moments)
@settings(max_examples=40, deadline=None)
def test_each_of_a_chain_of_cutoffs_equals_one_made_afresh(past: list[Bought], cuts: list[int]) -> None:
    known = history(past)
    chained = [arrays(together) for together in cooccurrences(known, cuts, FEW)]
    assert chained == [arrays(cooccurrence(known, cut, FEW)) for cut in cuts]


@given(baskets, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_neither_the_order_of_orders_nor_duplicates_matter(orders: list[list[int]], random: Random) -> None:
    shuffled = [[*order, *order[:2]] for order in orders]
    random.shuffle(shuffled)
    assert_same_counts(counted(shuffled), counted(orders))


def test_orders_of_the_same_moment_may_come_in_any_order() -> None:
    same_moment = [Bought(START, shopper, products) for shopper, products in enumerate([(0, 1), (1, 2, 3), (0, 3)])]
    first, *others = [cooccurrence(history(past), LATE, FEW) for past in permutations(same_moment)]
    assert [arrays(other) for other in others] == [arrays(first)] * 5


@given(orders())
@settings(max_examples=30, deadline=None)
def test_an_update_without_orders_changes_nothing(past: list[Bought]) -> None:
    known = history(past)
    counts = OrderCounts.none(known.catalogue).update(known)
    assert_same(counts.update(known.since(LATE)), counts)
    assert arrays(weigh(counts.update(known.since(LATE)), FEW)) == arrays(weigh(counts, FEW))


def test_an_update_leaves_the_counts_before_it_as_they_were() -> None:
    known = history([Bought(START, 0, (0, 1)), Bought(START + DAY, 0, (0, 1, 2))])
    before = OrderCounts.none(known.catalogue).update(known.before(START + 1))
    kept = before.products.together.toarray().tolist()
    before.update(known.since(START + 1))
    assert before.products.together.toarray().tolist() == kept


def test_a_product_sold_for_the_first_time_gets_its_partners() -> None:
    known = history([Bought(START, 0, (0, 1)), Bought(START + DAY, 0, (1, 7))])
    before, after = cooccurrences(known, [START + 1, LATE], FEATURES)
    assert before.cosine.rows(np.array([7], dtype=np.int32))[0].tolist() == []
    assert after.cosine.rows(np.array([7], dtype=np.int32))[0].tolist() == [1]


def wider(known: History, rows: NDArray[np.int32], catalogue: Catalogue) -> History:
    """Return the same history in a catalogue in which product i stands in row rows[i]."""
    return replace(known, catalogue=catalogue, product=rows[known.product])


def renamed(of: Catalogue, ids: list[str], categories: list[str]) -> Catalogue:
    return Catalogue.of(
        ids=ids,
        titles=of.titles,
        categories=categories,
        brands=of.brands,
        price=of.price,
        in_stock=of.in_stock,
        margin=of.margin,
    )


@given(orders(products=8), moments)
@settings(max_examples=40, deadline=None)
def test_products_and_categories_may_join_the_catalogue_between_updates(past: list[Bought], cuts: list[int]) -> None:
    # Of twelve products in five categories, the rows 0, 3 and 5 and the category of two of them are new.
    rows = np.array([1, 2, 4, 6, 7, 8, 9, 10], dtype=np.int32)
    old = history(past, products=8)
    names = {int(row): old.catalogue.categories[number] for number, row in enumerate(rows)}
    categories = [names.get(row, "Drinks > Tea" if row < 4 else "Food > A") for row in range(11)]
    ids = [f"q{row:03d}" for row in range(11)]
    grown = renamed(catalogue(11), ids, categories)
    small = renamed(old.catalogue, [ids[row] for row in rows], old.catalogue.categories)
    narrow, wide = replace(old, catalogue=small), wider(old, rows, grown)
    cut = cuts[0]
    counts = OrderCounts.none(small).update(narrow.before(cut)).update(wide.since(cut))
    assert_same(counts, OrderCounts.none(grown).update(wide))


def test_a_product_that_changed_its_category_is_refused() -> None:
    known = history([Bought(START, 0, (0, 1))])
    counts = OrderCounts.none(known.catalogue).update(known)
    of = known.catalogue
    other = renamed(of, of.ids, ["Food > C", *of.categories[1:]])
    with pytest.raises(DataError, match="moved to other categories: count all orders afresh"):
        counts.update(replace(known, catalogue=other))


def test_categories_that_became_one_are_refused() -> None:
    known = history([Bought(START, 0, (0, 1))])
    counts = OrderCounts.none(known.catalogue).update(known)
    of = known.catalogue
    other = renamed(of, of.ids, [name.replace("B", "A") for name in of.categories])
    with pytest.raises(DataError, match="moved to other categories"):
        counts.update(replace(known, catalogue=other))


def test_a_product_that_left_the_catalogue_is_refused() -> None:
    known = history([Bought(START, 0, (0, 1))])
    counts = OrderCounts.none(known.catalogue).update(known)
    of = known.catalogue
    other = renamed(of, ["another", *of.ids[1:]], of.categories)
    with pytest.raises(DataError, match="'p000' is not in the catalogue any more"):
        counts.update(replace(known, catalogue=other))


def test_moments_that_go_back_are_refused() -> None:
    known = history([Bought(START, 0, (0, 1))])
    with pytest.raises(ValueError, match="expected ascending"):
        list(cooccurrences(known, [LATE, START], FEATURES))


@given(orders(), st.integers(-1, 401).map(lambda step: START + step * DAY // 4))
@settings(max_examples=40, deadline=None)
def test_a_history_is_what_lies_before_a_moment_and_what_lies_since(past: list[Bought], moment: int) -> None:
    known = history(past)
    before, since = known.before(moment), known.since(moment)
    assert [*before.order_ids, *since.order_ids] == known.order_ids
    assert all(at < moment for at in before.at)
    assert all(at >= moment for at in since.at)
    for part in (before, since):
        first = 0 if part is before else len(before)
        for order in range(len(part)):
            assert part.products_of(order).tolist() == known.products_of(first + order).tolist()
