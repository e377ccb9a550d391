"""Groups of cases that a single figure would hide: by shopper, cart, product and moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.history import History
from features.products import ProductStats
from features.shopper import ShopperState
from training.evaluation.metrics import Hidden
from training.protocol import Case

CART_SIZES = {"1-2": 1, "3-5": 3, "6-10": 6, "11+": 11}
HISTORY_LENGTHS = {"0": 0, "1-9": 1, "10-29": 10, "30+": 30}
"""Label → least value; ascending."""

TOP_CATEGORIES, TOP_CHANNELS = 12, 8
OTHER = "other"


@dataclass(frozen=True)
class Slicing:
    """One way to group cases.

    Attributes:
        labels: of the groups that have cases, in the order to be shown. code: int64[cases], row in `labels`.
    """

    labels: list[str]
    code: NDArray[np.int64]

    def members(self) -> NDArray[np.float64]:
        """Return float64[cases, labels], 1 where the case belongs to the group: exactly one a case."""
        belongs: NDArray[np.bool_] = self.code[:, None] == np.arange(len(self.labels))
        return belongs.astype(np.float64)


def slicings(
    history: History,
    cases: Sequence[Case],
    states: Sequence[ShopperState],
    stats: ProductStats,
    *,
    channels: Sequence[str],
    as_of: int,
) -> dict[str, Slicing]:
    """Return every way to group cases with one hidden product, by name.

    Args:
        history: all orders. cases: at least one; of several hidden products the first counts.
        states: the shopper of each case just before it.
        stats: products as of the cutoff. channels: of each case's order. as_of: the cutoff, unix seconds.
    """
    hidden = Hidden.of(cases).first
    top_level = np.array([path.partition(" > ")[0] for path in history.catalogue.categories], dtype=object)
    cold = np.asarray(stats.orders)[hidden] == 0
    asked = request_slicings(history, cases, states, as_of)
    return {
        "repeat": either(is_repeat(history, cases), "repeat", "new"),
        "repeat_at_cutoff": either(is_repeat(history, cases, as_of), "bought before the cutoff", "new at the cutoff"),
        "cart_size": asked["cart_size"],
        "history_length": asked["history_length"],
        "category": most_frequent(top_level[hidden].tolist(), TOP_CATEGORIES),
        "segment": asked["segment"],
        "channel": most_frequent(channels, TOP_CHANNELS),
        "product": either(cold, "never sold before", "sold before"),
        "shopper": asked["shopper"],
    }


def request_slicings(
    history: History, cases: Sequence[Case], states: Sequence[ShopperState], as_of: int
) -> dict[str, Slicing]:
    """Return the ways to group cases by what a request tells, whatever is hidden and whichever model answers; by name.

    Args:
        history, cases, states, as_of: as of `slicings`.
    """
    seen = np.isin(history.shopper[[case.order for case in cases]], history.before(as_of).shopper)
    segment = [state.segment(case.at) for state, case in zip(states, cases, strict=True)]
    return {
        "cart_size": by_step(np.array([case.cart.size for case in cases]), CART_SIZES),
        "history_length": by_step(np.array([state.orders for state in states]), HISTORY_LENGTHS),
        "segment": most_frequent(segment, 3),
        "shopper": either(~seen, "never seen before", "seen before"),
    }


def is_repeat(history: History, cases: Sequence[Case], until: int | None = None) -> NDArray[np.bool_]:
    """Return bool[cases], whether the (first) hidden product is one the shopper had bought in an earlier order.

    Args:
        history: all orders. cases: at least one. until: count only orders before this moment, unix seconds.
    """
    size = len(history.catalogue)
    bought = history.shopper[history.line_order].astype(np.int64) * size + history.product
    pairs, first_line = np.unique(bought, return_index=True)  # lines are oldest first
    order = np.array([case.order for case in cases])
    hidden = np.array([case.hidden[0] for case in cases])
    first_order = history.line_order[first_line[np.searchsorted(pairs, history.shopper[order] * size + hidden)]]
    limit = history.at[order] if until is None else np.minimum(history.at[order], until)
    before: NDArray[np.bool_] = history.at[first_order] < limit
    return before


def either(chosen: NDArray[np.bool_], label: str, otherwise: str) -> Slicing:
    """Return the groups of cases that are chosen and that are not."""
    return _used([label, otherwise], np.where(chosen, 0, 1))


def by_step(values: NDArray[np.int64], least: dict[str, int]) -> Slicing:
    """Return groups by value; values below the least of all belong to the lowest group.

    Args:
        values: int[cases]. least: label → least value of the group, ascending.
    """
    code = np.searchsorted(list(least.values()), values, side="right") - 1
    return _used(list(least), np.maximum(code, 0))


def most_frequent(values: Sequence[str], limit: int) -> Slicing:
    """Return a group for each of the `limit` most frequent values (ties: by name), most first, and one for the rest."""
    names, code, count = np.unique(np.array(values, dtype=object), return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    labels = [str(names[row]) for row in order[:limit]] + [OTHER]
    return _used(labels, np.minimum(place[code], limit if order.size > limit else order.size))


def _used(labels: list[str], code: NDArray[np.int64]) -> Slicing:
    used, again = np.unique(code, return_inverse=True)
    return Slicing([labels[row] for row in used], again.astype(np.int64))
