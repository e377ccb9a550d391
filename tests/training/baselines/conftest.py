"""Every baseline, fitted once on the corner shop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from configs import Settings
from features.context import Context, ProductMatrix
from features.history import History, load_history
from features.shopper import ShopperState, fold
from training.baselines import BASELINES, Baseline
from training.package import ModelPackage


@dataclass(frozen=True)
class Shop:
    """The corner shop as of its package's cutoff, with the state of its most frequent shopper."""

    history: History
    matrix: ProductMatrix
    as_of: int
    regular: ShopperState

    def context(self, cart: list[int], shopper: ShopperState, days_later: float = 0.0) -> Context:
        """Return a request with a cart of product rows, in whatever order and multiplicity."""
        ids = [self.matrix.catalogue.ids[row] for row in cart]
        return Context(self.matrix, shopper, self.matrix.rows(ids), self.as_of + days_later * 86_400)


@pytest.fixture(scope="package")
def shop(built_shop: Settings, package: ModelPackage) -> Shop:
    """The corner shop."""
    history = load_history(built_shop.work.data)
    known = history.before(package.as_of)
    who = np.bincount(known.shopper).argmax()
    mine = [known.order(int(order)) for order in np.flatnonzero(known.shopper == who)]
    return Shop(history, package.matrix, package.as_of, fold(mine, built_shop.features))


@pytest.fixture(scope="package")
def fitted(shop: Shop) -> dict[type[Baseline], Baseline]:
    """Each baseline, fitted at the cutoff."""
    return {kind: kind.fit(shop.history, shop.matrix, shop.as_of) for kind in BASELINES}
