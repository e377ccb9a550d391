"""The cart-and-history encoder as plain arrays: a request becomes a vector, and every product has one beside it.

The inner product of the two, plus the product's bias, says how well the product goes with this cart and this shopper:
a score for the rankers, and the nearest products are candidates. PyTorch fits it (`training.encoder`); nothing here
needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property, partial
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.baskets import RecentBaskets
from features.compiled import compiled
from features.decay import DAY
from features.lately import Lately
from features.pool import Pool

Floats = NDArray[np.float32]
Product = TypeVar("Product", bound=np.integer)

AGES = 12
"""Ages of purchases are told apart by powers of two: under 1 day, under 3, under 7, …, 2047 days and more."""

DECAYS = (14.0, 90.0)
"""Days after which a past purchase weighs 1/e in the two decayed means."""

SITUATION = 6
"""Numbers that `situation` returns."""

MOST_SITUATIONS = 1024
"""Remembered at a time."""


def situation(
    cart: NDArray[np.integer], history: NDArray[np.integer], hour: NDArray[Any], weekday: NDArray[Any]
) -> Floats:
    """Return float32[requests, SITUATION]: sizes on a log scale, time of day and of week as angles.

    Args:
        cart, history: int[requests], numbers of products. hour: local, 0 to 24. weekday: 0 is Monday.
    """
    day, week = hour * (2 * np.pi / 24), weekday * (2 * np.pi / 7)
    columns = (np.log1p(cart), np.log1p(history), np.sin(day), np.cos(day), np.sin(week), np.cos(week))
    return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True)
class EncoderWeights:
    """The learned numbers, float32; d is the length of a vector, h of the hidden layer.

    Attributes:
        vectors: [products, d]. bias: [products].
        cart_key: [d], how much a cart product counts. query, key: [d, d], which purchases a cart calls to mind.
        age: [AGES], added to that by a purchase's age.
        hidden: [5 d + SITUATION, h]. hidden_bias: [h]. out: [h, d]. out_bias: [d]. skip: [1], of the cart's mean.
    """

    vectors: Floats
    bias: Floats
    cart_key: Floats
    query: Floats
    key: Floats
    age: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats
    skip: Floats

    @classmethod
    def names(cls) -> list[str]:
        """Return the arrays' names."""
        return [item.name for item in fields(cls)]


def _situation_of(zone: ZoneInfo, name: tuple[int, int, int]) -> Floats:
    """Return `situation` of a minute (since 1970) and of how many products the cart and the history hold."""
    minute, cart, history = name
    local = datetime.fromtimestamp(minute * 60, zone)
    sizes = np.array([cart]), np.array([history])
    now_is: Floats = situation(*sizes, np.array([local.hour + local.minute / 60]), np.array([local.weekday()]))[0]
    return now_is


@dataclass(frozen=True)
class Encoder:
    """Encodes requests.

    Attributes:
        weights: what was learned. history: most past purchases that are read, the newest.
        timezone: IANA name of the shop's zone.
        lively, unsold: int32, rows of the most popular products, and of some that nobody has bought yet.
    """

    POOLS: ClassVar = ("lively", "unsold")

    weights: EncoderWeights
    history: int
    timezone: str
    lively: NDArray[np.int32]
    unsold: NDArray[np.int32]

    @cached_property
    def _situations(self) -> Lately[tuple[int, int, int], Floats]:
        return Lately(partial(_situation_of, self._zone), MOST_SITUATIONS)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def lively_pool(self) -> Pool:
        """The most popular products."""
        return self._pool(self.lively)

    @cached_property
    def unsold_pool(self) -> Pool:
        """Products that nobody has bought yet."""
        return self._pool(self.unsold)

    def _pool(self, rows: NDArray[np.int32]) -> Pool:
        return Pool.of(rows, self.weights.vectors, self.weights.bias)

    def encode(self, cart: NDArray[np.int32], history: NDArray[np.int32], age_days: NDArray[Any], now: float) -> Floats:
        """Return float32[d], the request's vector.

        Args:
            cart: int32, distinct product rows. now: unix seconds.
            history: int32[n], rows of past purchases, repeats included. age_days: [n], days before `now`, not negative.
        """
        learned, situation_now = self.weights, self._situation(cart, history, now)
        return _encode(
            np.take(learned.vectors, cart, axis=0),
            np.take(learned.vectors, history, axis=0),
            np.asarray(age_days, dtype=np.float32),
            situation_now,
            learned.cart_key,
            learned.query,
            learned.key,
            learned.age,
            learned.hidden,
            learned.hidden_bias,
            learned.out,
            learned.out_bias,
            learned.skip[0],
        )

    def score(self, vector: Floats, products: NDArray[np.int32]) -> Floats:
        """Return float32[products], log-odds between products that are new to the shopper."""
        scores: Floats = np.take(self.weights.vectors, products, axis=0) @ vector + self.weights.bias[products]
        return scores

    def _situation(self, cart: NDArray[np.int32], history: NDArray[np.int32], now: float) -> Floats:
        """Return what `situation` says of the request, remembered for a while: it only changes by the minute."""
        return self._situations[int(now // 60), cart.size, history.size]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, history: int, timezone: str) -> Encoder:
        """Return the encoder of the arrays that `arrays` gave."""
        weights = EncoderWeights(**{name: arrays[name] for name in EncoderWeights.names()})
        return cls(weights, history, timezone, *(arrays[name] for name in cls.POOLS))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything by name, for a file."""
        return vars(self.weights) | {name: getattr(self, name) for name in self.POOLS}


def newest_purchases(
    baskets: RecentBaskets, products: NDArray[Product], limit: int
) -> tuple[NDArray[Product], NDArray[np.int64]]:
    """Return (products, unix seconds) of the newest `limit` purchases, oldest first.

    Args:
        baskets: the shopper's. products: of their lines, keys or rows. limit: most purchases.
    """
    at = np.repeat(baskets.at, baskets.size)
    first = max(0, at.size - limit)
    return products[first:], at[first:]


def age_in_days(now: float | NDArray[np.int64], at: NDArray[np.int64]) -> Floats:
    """Return float32, shaped as `at`: days from each moment until `now`; a later moment counts as now."""
    days: NDArray[np.float64] = np.maximum(now - at, 0.0) / DAY
    return days.astype(np.float32)


@compiled
def _encode(
    cart: Floats,
    past: Floats,
    age: Floats,
    situation_now: Floats,
    cart_key: Floats,
    query: Floats,
    key: Floats,
    by_age: Floats,
    hidden: Floats,
    hidden_bias: Floats,
    out: Floats,
    out_bias: Floats,
    skip: np.float32,
) -> Floats:
    """Return float32[d] of the vectors of cart and past purchases, float32[n, d]; ages in days."""
    size = query.shape[0]
    inputs = np.zeros(5 * size + situation_now.size, np.float32)
    mean = inputs[:size]
    if cart.shape[0]:
        for row in cart:
            mean += row / np.float32(cart.shape[0])
        _add_weighted(inputs[size : 2 * size], _softmax(_dots(cart, cart_key)), cart)
    if past.shape[0]:
        called = _dots(key, _product(mean, query)) / np.float32(np.sqrt(size))
        match = _dots(past, called)
        for n in range(age.size):
            match[n] += by_age[min(int(np.log2(np.float32(1.0) + age[n])), AGES - 1)]
        _add_weighted(inputs[2 * size : 3 * size], _softmax(match), past)
        for place in range(len(DECAYS)):
            weight = np.exp(-age / np.float32(DECAYS[place]))
            weight /= max(weight.sum(), np.float32(1e-6))
            _add_weighted(inputs[(3 + place) * size : (4 + place) * size], weight, past)
    inputs[5 * size :] = situation_now
    inner = np.maximum(_product(inputs, hidden) + hidden_bias, np.float32(0.0))
    vector = _product(inner, out)
    vector += out_bias + skip * mean
    return vector


@compiled
def _dots(rows: Floats, vector: Floats) -> Floats:
    """Return float32[n], the inner products of float32[n, d] with float32[d]."""
    found = np.zeros(rows.shape[0], np.float32)
    for n in range(rows.shape[0]):
        total = np.float32(0.0)
        for place in range(vector.size):
            total += rows[n, place] * vector[place]
        found[n] = total
    return found


@compiled
def _product(vector: Floats, matrix: Floats) -> Floats:
    """Return float32[h] of float32[d] times float32[d, h]."""
    found = np.zeros(matrix.shape[1], np.float32)
    _add_weighted(found, vector, matrix)
    return found


@compiled
def _add_weighted(total: Floats, weight: Floats, rows: Floats) -> None:
    """Add float32[n, d] rows times float32[n] weights to float32[d]: the order of sums is told, so they vectorize."""
    for n in range(weight.size):
        for place in range(total.size):
            total[place] += weight[n] * rows[n, place]


@compiled
def _softmax(logits: Floats) -> Floats:
    weight = np.exp(logits - logits.max())
    share: Floats = np.divide(weight, weight.sum())
    return share
