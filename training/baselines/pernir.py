"""Within-basket neighbours: what a shopper, and shoppers alike, bought in orders that resemble the live cart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.context import Context, ProductMatrix
from features.decay import decayed
from features.history import History
from features.top import top_rows
from training.baselines.base import Baseline, Ranked, best_positive, known_orders
from training.baselines.own_frequency import own_rates
from training.baselines.people import People, own_profile
from training.baselines.sparse import add_rows, baskets


@dataclass(frozen=True)
class PerNir(Baseline):
    """own(j) + mean over the similar shoppers v who ever bought j of cosine(u, v) × f(v, j).

    f(v, j) = Σ over v's orders b with j of recency(b) × (1 + cart_weight × log(n) × place(n, m) × |b ∩ cart|), with
    n products in the cart and m in b. own(j) is f of the live shopper: habit from the live state, likeness to the cart
    from the orders before the cutoff.

    Two things differ from the paper, both because of what a request knows. Recency decays by time, as live states do.
    And the order in which products enter a cart is unknown, so the paper's weights by place, 1 / steps from the end of
    the cart and 1 / distance inside an order, are replaced by their means over all orders of entry;
    `cart_weight` (10, found on the validation window) makes up for how small those means are.

    Ranking takes about 5 ms for the Complete Journey year, most of it to add up some thousand orders.

    Source: PerNIR, Ariannezhad et al. 2023 (WSDM).

    Attributes:
        people: for similarity. bought: float32 0/1 CSR[shoppers, products].
        start: int64[shoppers + 1], the orders are grouped by shopper; those of shopper v are start[v]:start[v + 1].
        held, by_product: float32 0/1 CSR of orders × products, and transposed.
        recency, spread: float64[orders], decay to the cutoff; mean of 1 / distance of two of the order's products.
    """

    name: ClassVar[str] = "pernir"
    neighbours: ClassVar[int] = 100
    cart_weight: ClassVar[float] = 10.0
    people: People
    bought: sp.csr_matrix
    start: NDArray[np.int64]
    held: sp.csr_matrix
    by_product: sp.csr_matrix
    recency: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def fit(cls, history: History, matrix: ProductMatrix, as_of: int) -> Self:
        """Return the ranker with the orders before `as_of`."""
        known, half_life = known_orders(history, matrix, as_of), matrix.features.repeat_half_life_days
        people = People.of(known, as_of, half_life)
        grouped = np.argsort(known.shopper, kind="stable")
        held = baskets(known)[grouped]
        bought = people.profiles.astype(np.float32)
        bought.data[:] = 1.0
        start = np.concatenate([[0], np.cumsum(people.orders)]).astype(np.int64)
        recency = decayed(np.ones(len(known)), known.at[grouped], as_of, half_life)
        return cls(people, bought, start, held, held.T.tocsr(), recency, mean_closeness(np.diff(held.indptr)))

    def rank(self, context: Context, k: int) -> Ranked:
        """Return the k products that orders like this one, of shoppers like this one, hold."""
        likeness = self._likeness(context)
        near, similarity = self._nearest(context)
        orders, whose = self._orders_of(near)
        total = add_rows(self.held, orders, similarity[whose] * self.recency[orders] * (1.0 + likeness[orders]))
        buyers = add_rows(self.bought, near)
        scores = np.divide(total, buyers, out=np.zeros_like(total), where=buyers > 0)
        rows, rate = own_rates(context)
        scores[rows] += rate
        myself = self.people.row_of(context.shopper)
        if myself >= 0 and context.cart.size:
            mine = np.arange(self.start[myself], self.start[myself + 1], dtype=np.int32)
            mine = mine[likeness[mine] > 0]
            scores += add_rows(self.held, mine, self.recency[mine] * likeness[mine])
        return best_positive(context, scores, k)

    def _likeness(self, context: Context) -> NDArray[np.float64]:
        """Return float64[orders], how much each order resembles the cart: the log(n) × … term of f."""
        size = context.cart.size
        if not size:
            return np.zeros(self.recency.size)
        # The mean of 1 / steps from the end, over all places in a cart of n, is H(n) / n.
        weight = self.cart_weight * np.log(size) * (1.0 / np.arange(1, size + 1)).mean()
        likeness: NDArray[np.float64] = weight * self.spread * add_rows(self.by_product, context.cart)
        return likeness

    def _nearest(self, context: Context) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return (rows, cosine) of the most similar other shoppers."""
        rows, profile = own_profile(context)
        length = np.sqrt((profile**2).sum() * self.people.squared)
        common = self.people.products_in_common(rows, profile)
        cosine = np.divide(common, length, out=np.zeros_like(common), where=length > 0)
        myself = self.people.row_of(context.shopper)
        if myself >= 0:
            cosine[myself] = 0.0
        near = top_rows(cosine, self.neighbours)
        near = near[cosine[near] > 0]
        return near.astype(np.int32), cosine[near]

    def _orders_of(self, shoppers: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return (orders of `shoppers`, position in `shoppers` of whose each is)."""
        counts = self.start[shoppers + 1] - self.start[shoppers]
        whose = np.repeat(np.arange(shoppers.size), counts)
        first = np.repeat(self.start[shoppers] - np.cumsum(counts) + counts, counts)
        return (np.arange(whose.size) + first).astype(np.int32), whose


def mean_closeness(products: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the mean of 1 / |i − j| over all pairs of distinct places of m, for each m; 0 where m is below 2.

    Of m places, m − d pairs lie d apart: Σ (m − d) / d over m (m − 1) / 2 pairs.
    """
    m = np.asarray(products, dtype=np.float64)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, max(int(products.max(initial=0)), 1) + 1))])
    total = m * harmonic[np.maximum(products - 1, 0)] - (m - 1)
    mean: NDArray[np.float64] = np.divide(2 * total, m * (m - 1), out=np.zeros_like(m), where=m > 1)
    return mean
