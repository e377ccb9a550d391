"""What a shopper reads: the strongest reason that is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.context import Context, ProductMatrix
from features.cooccurrence import cooccurrence
from features.products import product_stats
from features.shopper import ShopperState, fold
from tests.features.histories import DAY, FEATURES, START, Bought, catalogue, history
from training.reasons import reason_for

NOW = START + 100 * DAY
NOBODY = ShopperState.empty()


def matrix(*orders: Bought) -> ProductMatrix:
    """Return the product side after orders of twelve numbered products."""
    past = history(orders)
    return ProductMatrix(catalogue(12), product_stats(past, NOW, FEATURES), cooccurrence(past, NOW, FEATURES), FEATURES)


def buyer(*orders: Bought) -> ShopperState:
    """Return the shopper of orders."""
    past = history(orders)
    return fold((past.order(number) for number in range(len(orders))), FEATURES)


def reason(
    row: int,
    shopper: ShopperState = NOBODY,
    cart: tuple[int, ...] = (),
    *,
    personal: bool = True,
    orders: tuple[Bought, ...] = (),
) -> str:
    known = matrix(*(orders or (Bought(START, 1, (10,)),)))
    return reason_for(Context(known, shopper, np.array(cart, dtype=np.int32), NOW), row, personal=personal)


def every(days: int, product: int, times: int = 4) -> tuple[Bought, ...]:
    return tuple(Bought(START + days * DAY * time, 0, (product,)) for time in range(times))


@pytest.mark.parametrize(("days", "words"), [(1, "day"), (3, "3 days"), (7, "week"), (14, "2 weeks"), (30, "4 weeks")])
def test_a_habit_is_told_with_its_period(days: int, words: str) -> None:
    assert reason(5, buyer(*every(days, 5))) == f"You usually buy this every {words}"


def test_what_was_bought_once_is_no_habit() -> None:
    assert reason(5, buyer(*every(7, 5, times=1))) == "You have bought this before"


def test_a_partner_in_the_cart_is_named() -> None:
    together = tuple(Bought(START + day * DAY, 1, (2, 7)) for day in range(5))
    assert reason(7, cart=(2,), orders=together) == "Often bought with Product 2 in your cart"


def test_a_category_that_the_shopper_often_buys_is_named_for_another_product_of_it() -> None:
    assert reason(8, buyer(*every(7, 5))) == "From C, which you often buy"
    assert reason(8, buyer(*every(7, 5, times=2))) == "Picked for you"


def test_only_what_sells_is_called_popular() -> None:
    popular, rare = 10, 4
    assert reason(popular) == "Popular with shoppers right now"
    assert reason(rare) == "Picked for you"
    assert reason(rare, cart=(1,)) == "Goes with carts like yours"
    assert reason(rare, personal=False) == "Popular with shoppers right now"  # the fallbacks rank by nothing else


def test_a_product_without_category_is_not_said_to_be_of_one() -> None:
    known = matrix(Bought(START, 1, (10,)))
    nameless = replace(known, catalogue=replace(known.catalogue, categories=[""] * 12))
    shopper = buyer(*every(7, 5))
    found = reason_for(Context(nameless, shopper, np.empty(0, np.int32), NOW), 8, personal=True)
    assert found == "Picked for you"
