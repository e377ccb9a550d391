"""What an answer tells of a product, at hand for those shown lately: texts in Arrow take microseconds each to read."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.history import Catalogue

MOST = 4096
"""Products at hand; beyond that all are read anew, so that no bookkeeping is paid for."""


class Card(NamedTuple):
    """A product as people see it; `price` is rounded to cents, None if not known."""

    product_id: str
    title: str
    category: str
    price: float | None


class Cards:
    """The cards of a catalogue by product row.

    Args:
        catalogue: names the products. price: float32[products], NaN if not known.
    """

    def __init__(self, catalogue: Catalogue, price: NDArray[np.float32]) -> None:
        self._catalogue, self._price = catalogue, price
        self._known: dict[int, Card] = {}

    def __getitem__(self, row: int) -> Card:
        card = self._known.get(row)
        if card is None:
            if len(self._known) >= MOST:
                self._known.clear()
            card = self._known[row] = self._read(row)
        return card

    def _read(self, row: int) -> Card:
        catalogue, price = self._catalogue, float(self._price[row])
        told = None if math.isnan(price) else round(price, 2)
        return Card(catalogue.ids[row], catalogue.titles[row], catalogue.categories[row], told)
