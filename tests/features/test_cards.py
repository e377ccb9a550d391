"""A card tells what the catalogue does, however many products were shown before."""

from __future__ import annotations

import numpy as np
import pytest

from features import cards
from features.cards import cards_of
from tests.features.histories import catalogue


def test_cards_tell_what_the_catalogue_does_with_the_price_in_cents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MOST", 3)
    known, price = catalogue(8), np.linspace(0.999, 9.999, 8, dtype=np.float32)
    price[5] = np.nan
    found = cards_of(known, price)
    for row in [*range(8), 1, 5, 7, 1]:
        told = None if row == 5 else round(float(price[row]), 2)
        assert found[row] == (known.ids[row], known.titles[row], known.categories[row], told)
