"""Popular sets per segment, next to a plain count over orders replayed one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given

from features.history import History
from features.segments import PRIOR_LINES, SEGMENTS, popular_by_segment, segment_of_orders
from features.shopper import ShopperState
from tests.features.histories import DAY, FEATURES, START, Bought, history, orders

LAPSED = [Bought(START + day * DAY, 0, (1, 2)) for day in (0, 1, 2, 40)]


def replayed(made: History) -> list[str]:
    """Return the segment of each order's shopper just before it."""
    states: defaultdict[int, ShopperState] = defaultdict(ShopperState.empty)
    found = []
    for number in range(len(made)):
        shopper, order = int(made.shopper[number]), made.order(number)
        found.append(states[shopper].segment(order.at))
        states[shopper] = states[shopper].update(order, FEATURES)
    return found


@given(orders())
def test_each_order_counts_for_the_segment_its_shopper_was_in_just_before(bought: Sequence[Bought]) -> None:
    made = history([*bought, *LAPSED])
    assert [SEGMENTS[place] for place in segment_of_orders(made)] == replayed(made)


def test_who_comes_back_after_a_long_silence_counts_as_lapsed() -> None:
    assert replayed(history(LAPSED)) == ["new", "new", "new", "lapsed"]


@given(orders())
def test_a_set_holds_all_that_is_in_stock_what_sells_best_to_the_segment_first(bought: Sequence[Bought]) -> None:
    made, as_of = history(bought), START + 80 * DAY
    in_stock = np.arange(len(made.catalogue)) % 4 != 0
    made = replace(made, catalogue=replace(made.catalogue, in_stock=in_stock))
    known = made.before(as_of)
    sold: defaultdict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = defaultdict(lambda: np.zeros(in_stock.size))
    for number, segment in enumerate(replayed(known)):
        age = (as_of - known.at[number]) / DAY
        for product in known.product[known.start[number] : known.start[number + 1]]:
            sold[segment][product] += 0.5 ** (age / FEATURES.popularity_half_life_days)
    everybody = np.sum([*sold.values(), np.zeros(in_stock.size)], axis=0)
    for segment, rows in zip(SEGMENTS, popular_by_segment(made, as_of, FEATURES), strict=True):
        assert set(rows.tolist()) == set(np.flatnonzero(in_stock).tolist())
        score = sold[segment] + PRIOR_LINES * everybody / max(everybody.sum(), 1e-9)
        assert np.all(np.diff(score[rows]) <= 1e-9)
