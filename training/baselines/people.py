"""Shoppers as vectors over products, so that similar ones can be found for a live shopper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.context import Context
from features.decay import decayed
from features.history import History
from features.shopper import ShopperState
from training.baselines.own_frequency import own_rates
from training.baselines.sparse import add_rows


@dataclass(frozen=True)
class People:
    """The shoppers of a history as of a cutoff.

    A profile says how likely a product is in the shopper's next order: decayed purchases as shares of their sum, times
    the mean number of products of an order. Without decay that is exactly the share of orders with the product. Live
    states keep decayed purchases, not orders, so the same formula holds for both sides.

    Attributes:
        profiles: float64 CSR[shoppers, products].
        orders, first_at: int64[shoppers], orders before the cutoff and unix seconds of the first; 0 without orders.
    """

    profiles: sp.csr_matrix
    orders: NDArray[np.int64]
    first_at: NDArray[np.int64]
    _by_first: dict[int, list[int]] = field(repr=False)

    @classmethod
    def of(cls, known: History, as_of: int, half_life_days: float) -> People:
        """Return the shoppers of orders before `as_of` (unix seconds), purchases decayed by `half_life_days`."""
        size = (len(known.shopper_ids), len(known.catalogue))
        shopper = known.shopper[known.line_order]
        weight = decayed(np.ones(shopper.size), known.at[known.line_order], as_of, half_life_days)
        rates = sp.csr_matrix((weight, (shopper, known.product)), shape=size)
        orders = np.bincount(known.shopper, minlength=size[0])
        lines = np.bincount(shopper, minlength=size[0])
        scale = lines / np.maximum(orders, 1) / np.maximum(np.asarray(rates.sum(axis=1)).ravel(), 1e-300)
        rates.data *= np.repeat(scale, np.diff(rates.indptr))
        first = np.zeros(size[0], dtype=np.int64)
        first[known.shopper[::-1]] = known.at[::-1]  # the oldest order is written last
        return cls(rates, orders, first, _positions(first, np.flatnonzero(orders)))

    @cached_property
    def by_product(self) -> sp.csr_matrix:
        """The profiles transposed: CSR[products, shoppers]."""
        return self.profiles.T.tocsr()

    @cached_property
    def squared(self) -> NDArray[np.float64]:
        """float64[shoppers], squared length of each profile."""
        return np.asarray(self.profiles.multiply(self.profiles).sum(axis=1)).ravel()

    def products_in_common(self, rows: NDArray[np.int32], profile: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return float64[shoppers], each profile's dot product with a sparse one."""
        return add_rows(self.by_product, rows, profile)

    def row_of(self, state: ShopperState) -> int:
        """Return the row of the shopper whom a live state continues, -1 if there is none or no telling.

        A request carries a shopper's state and no id. The state of somebody known at the cutoff began at the same
        moment and has at least as many orders, which in practice is one shopper.
        """
        found = [row for row in self._by_first.get(state.first_at, ()) if self.orders[row] <= state.orders]
        return found[0] if state.orders and len(found) == 1 else -1


def own_profile(context: Context) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the live shopper's profile as (int32 product rows, float64 values)."""
    rows, rate = own_rates(context)
    total = rate.sum()
    return rows, rate * (context.shopper.mean_basket_products / total) if total > 0 else rate


def _positions(values: NDArray[np.int64], rows: Iterable[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(int(values[row]), []).append(int(row))
    return found
