"""Small shops in which anybody sees what each baseline has to say."""

from __future__ import annotations

import numpy as np
import pytest

from features.context import Context
from features.history import History
from tests.features.histories import DAY, START, Bought, history
from tests.training.baselines.test_contract import matrix_of, state_of
from training.baselines import BASELINES, Baseline
from training.baselines.own_frequency import OwnFrequency
from training.baselines.pernir import PerNir
from training.baselines.popularity import Popularity, RecentPopularity
from training.baselines.tifu_knn import TifuKnn
from training.baselines.up_cf import UpCf

BY_NAME = {kind.name: kind for kind in BASELINES}
FROM_THE_CART = (
    "frequently_bought_together", "fbt_count", "item_item_cosine", "lift", "als", "implicit_bm25", "implicit_cosine",
    "ease", "blend",
)  # fmt: skip
LATE = START + 60 * DAY


def first(kind: type[Baseline], shop: History, cart: tuple[int, ...], shopper: int, k: int = 1) -> list[int]:
    """Return the best products for a cart of shopper number `shopper`, as of LATE."""
    matrix = matrix_of(shop, LATE)
    context = Context(matrix, state_of(shop, shopper, LATE), np.array(cart, dtype=np.int32), LATE)
    return kind.fit(shop, matrix, LATE).rank(context, k)[0].tolist()


def checkerboard() -> History:
    """Even products are bought with even ones and odd with odd; each order leaves one out, in turn."""
    bought = []
    for day in range(48):
        side = [number for number in range(12) if number % 2 == day % 2]
        left_out = side[day // 2 % 6]
        bought.append(Bought(START + day * DAY, day % 4, tuple(number for number in side if number != left_out)))
    return history(bought)


@pytest.mark.parametrize("name", FROM_THE_CART)
@pytest.mark.parametrize("cart", [(0, 2, 4), (1, 3, 5, 7), (10,)])
def test_a_cart_of_one_colour_is_completed_in_that_colour(name: str, cart: tuple[int, ...]) -> None:
    left = 6 - len(cart)
    found = first(BY_NAME[name], checkerboard(), cart, shopper=9, k=left)
    assert {row % 2 for row in found} == {cart[0] % 2}


def test_popularity_and_recent_popularity_part_when_fashion_changes() -> None:
    old = [Bought(START + (10 + day) * DAY, 0, (1,)) for day in range(40)]
    new = [Bought(START + (56 + day) * DAY, 1, (2,)) for day in range(4)]
    new += [Bought(START + 56 * DAY + hour * 3600, 2, (2,)) for hour in range(8)]
    shop = history(old + new)
    assert first(Popularity, shop, (), 3) == [1]
    assert first(RecentPopularity, shop, (), 3) == [2]


@pytest.mark.parametrize("kind", [OwnFrequency, TifuKnn, UpCf, PerNir, BY_NAME["blend"]], ids=lambda kind: kind.name)
def test_a_weekly_habit_comes_first_whatever_the_crowd_buys(kind: type[Baseline]) -> None:
    crowd = [Bought(START + day * DAY, 1 + day % 3, (0, 1)) for day in range(58)]
    habit = [Bought(START + week * 7 * DAY, 0, (5,)) for week in range(8)]
    assert first(kind, history(crowd + habit), (), 0) == [5]


@pytest.mark.parametrize("kind", [TifuKnn, UpCf, PerNir], ids=lambda kind: kind.name)
def test_what_a_twin_buys_comes_before_what_a_stranger_buys(kind: type[Baseline]) -> None:
    mine = [Bought(START + day * DAY, 0, (0, 1)) for day in range(0, 56, 7)]
    twin = [Bought(START + (day + 1) * DAY, 1, (0, 1, 2)) for day in range(0, 56, 7)]
    stranger = [Bought(START + day * DAY, 2, (7, 8)) for day in range(58)]
    found = first(kind, history(mine + twin + stranger), (), 0, k=3)
    assert found[2] == 2


def test_pernir_lets_the_cart_choose_between_two_habits() -> None:
    breakfast = [Bought(START + day * DAY, 0, (0, 1, 2)) for day in range(0, 58, 6)]
    dinner = [Bought(START + (day + 3) * DAY, 0, (6, 7, 8)) for day in range(0, 56, 6)]
    shop = history(breakfast + dinner)
    assert first(PerNir, shop, (0, 1), 0) == [2]
    assert first(PerNir, shop, (6, 7), 0) == [8]


def test_lift_prefers_the_faithful_partner_and_counts_the_popular_one() -> None:
    # Milk (0) is in every order; caviar (3) only ever beside blini (2), and always there.
    plain = [Bought(START + hour * 3600, 0, (0, 4 + hour % 5)) for hour in range(800)]
    feast = [Bought(START + 40 * DAY + hour * 3600, 1, (0, 2, 3)) for hour in range(100)]
    more = [Bought(START + 50 * DAY + hour * 3600, 1, (0, 2)) for hour in range(30)]
    shop = history(plain + feast + more)
    assert first(BY_NAME["fbt_count"], shop, (2,), 3) == [0]
    assert first(BY_NAME["lift"], shop, (2,), 3) == [3]
