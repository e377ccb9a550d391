"""What the encoder learns from: baskets with a part hidden, and the purchases before each, as padded arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.days import local_hours
from features.encoder import Floats, age_in_days, situation
from features.history import History


@dataclass(frozen=True)
class Draws:
    """Some baskets; where a row of `cart`, `hidden` or `history` is shorter than the array, the rest is -1.

    Attributes:
        cart: int32[draws, c], hidden: int32[draws, t], history: int32[draws, l]: product rows.
        age: float32[draws, l], days since each past purchase. situation: float32[draws, SITUATION].
    """

    cart: NDArray[np.int32]
    hidden: NDArray[np.int32]
    history: NDArray[np.int32]
    age: Floats
    situation: Floats


@dataclass(frozen=True)
class Purchases:
    """The history's lines by shopper, oldest first, products of an order in ascending order of their key.

    That is the order in which a shopper's state holds them, so that the newest ones are the same ones.
    """

    history: History
    timezone: str

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        known = self.history
        lines = known.line_order
        return np.lexsort((known.catalogue.keys[known.product], lines, known.at[lines], known.shopper[lines]))

    @cached_property
    def _product(self) -> NDArray[np.int32]:
        return self.history.product[self._order]

    @cached_property
    def _at(self) -> NDArray[np.int64]:
        return self.history.at[self.history.line_order[self._order]]

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each order: first line of its shopper, first line of the shopper that is not older than the order."""
        known = self.history
        shopper = known.shopper[known.line_order[self._order]]
        first = np.searchsorted(shopper, known.shopper)
        # One ascending key for (shopper, moment), so that one search finds all borders.
        span = int(known.at[-1]) + 1
        key = shopper.astype(np.int64) * span + self._at
        return first, np.searchsorted(key, known.shopper.astype(np.int64) * span + known.at)

    @cached_property
    def _local(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        return local_hours(self.history.at, ZoneInfo(self.timezone))

    def before(self, orders: NDArray[np.intp], limit: int) -> tuple[NDArray[np.int32], Floats]:
        """Return (product rows, days ago) of the newest `limit` purchases strictly before each order; [orders, limit].

        Newest first; -1 and 0 where there are fewer.
        """
        first, end = (bound[orders] for bound in self._bounds)
        place = end[:, None] - 1 - np.arange(limit)
        there = place >= first[:, None]
        place = np.where(there, place, 0)
        age = age_in_days(self.history.at[orders][:, None], self._at[place])
        return np.where(there, self._product[place], -1).astype(np.int32), np.where(there, age, 0.0).astype(np.float32)

    def draw(
        self, orders: NDArray[np.intp], rng: np.random.Generator, *, cart: int, hidden: int, history: int
    ) -> Draws:
        """Return one draw of each order, which hides a single product in half of them and any share in the others.

        Args:
            orders: orders of at least two products. rng: decides what is hidden.
            cart, hidden, history: most products kept of each; of a larger cart a random part.
        """
        carts = np.full((orders.size, cart), -1, dtype=np.int32)
        targets = np.full((orders.size, hidden), -1, dtype=np.int32)
        sizes = np.zeros(orders.size, dtype=np.int64)
        share = np.where(rng.random(orders.size) < 0.5, 0.0, rng.random(orders.size))
        for row, order in enumerate(orders.tolist()):
            basket = rng.permutation(self.history.products_of(order))
            hide = max(1, int(share[row] * basket.size))
            kept, away = basket[hide:][:cart], basket[:hide][:hidden]
            carts[row, : kept.size], targets[row, : away.size] = kept, away
            sizes[row] = basket.size - hide
        past, age = self.before(orders, history)
        hour, weekday = (part[orders] for part in self._local)
        return Draws(carts, targets, past, age, situation(sizes, (past >= 0).sum(axis=1), hour, weekday))
