"""What an answer tells of a product, at hand for those shown lately: texts in Arrow take microseconds each to read."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.history import Catalogue
from features.lately import Lately

MOST = 4096
"""Products at hand at a time."""


class Card(NamedTuple):
    """A product as people see it; `price` is rounded to cents, None if not known."""

    product_id: str
    title: str
    category: str
    price: float | None


def cards_of(catalogue: Catalogue, price: NDArray[np.float32]) -> Lately[int, Card]:
    """Return the cards of a catalogue by product row; `price`: float32[products], NaN if not known."""
    return Lately(partial(_read, catalogue, price), MOST)


def _read(catalogue: Catalogue, prices: NDArray[np.float32], row: int) -> Card:
    price = float(prices[row])
    told = None if math.isnan(price) else round(price, 2)
    return Card(catalogue.ids[row], catalogue.titles[row], catalogue.categories[row], told)
