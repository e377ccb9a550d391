"""Builders of small histories, and a hypothesis strategy of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from configs import load_settings
from features.history import Catalogue, History

SETTINGS = load_settings()
FEATURES = SETTINGS.features
DAY = 86_400
START = 1_700_000_000


@dataclass(frozen=True)
class Bought:
    """One order: when, by whom (number), which products (numbers)."""

    at: int
    shopper: int
    products: tuple[int, ...]


def catalogue(products: int) -> Catalogue:
    """Return a catalogue of numbered products: three categories, two brands and the unknown one."""
    numbers = range(products)
    return Catalogue.of(
        ids=[f"p{number:03d}" for number in numbers],
        titles=[f"Product {number}" for number in numbers],
        categories=[f"Food > {'ABC'[number % 3]}" for number in numbers],
        brands=["" if number % 3 == 0 else f"Brand {number % 3}" for number in numbers],
        price=np.linspace(1, 9, products, dtype=np.float32),
        in_stock=np.ones(products, dtype=bool),
    )


def history(orders: Sequence[Bought], *, products: int = 12, shoppers: int = 4) -> History:
    """Return the history of orders; quantities, prices and discounts follow from the numbers."""
    ordered = sorted(enumerate(orders), key=lambda item: (item[1].at, item[0]))
    lines = [(number, product) for number, (_, order) in enumerate(ordered) for product in sorted(set(order.products))]
    counts = [len(set(order.products)) for _, order in ordered]
    product = np.array([product for _, product in lines], dtype=np.int32)
    return History(
        catalogue(products),
        [f"s{number}" for number in range(shoppers)],
        [f"o{number}" for number, _ in ordered],
        np.array([order.at for _, order in ordered], dtype=np.int64),
        np.array([order.shopper for _, order in ordered], dtype=np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        product,
        1.0 + (product % 2).astype(np.float64),
        1.0 + product.astype(np.float64) / 4,
        (product % 3 == 0).astype(np.float64) * 0.5,
    )


def orders(products: int = 12, shoppers: int = 4, most: int = 40) -> st.SearchStrategy[list[Bought]]:
    """Generate orders over 100 days, several of them at the same moment now and then."""
    return st.lists(
        st.builds(
            Bought,
            at=st.integers(0, 400).map(lambda step: START + step * DAY // 4),
            shopper=st.integers(0, shoppers - 1),
            products=st.lists(st.integers(0, products - 1), min_size=1, max_size=6, unique=True).map(tuple),
        ),
        min_size=1,
        max_size=most,
    )
