"""Training examples: cases of past windows, their candidates, features and which of them were in the basket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs import Settings
from features.context import Context, ProductMatrix
from features.cooccurrence import cooccurrence
from features.definitions import COLUMNS, assemble
from features.history import History
from features.shopper import ShopperState
from features.store import product_stats_at, shopper_states
from features.windows import Window
from training.candidates import generate
from training.protocol import Case, make_cases

if TYPE_CHECKING:
    from feast import FeatureStore


@dataclass(frozen=True)
class Examples:
    """Rows to learn from, grouped by case.

    Attributes:
        features: float32[rows, len(COLUMNS)]. label: int8[rows], 1 if the candidate was hidden in the basket.
        group: int32[cases], rows of each case, in order. shopper: int32[cases], row of the case's shopper.
        cases, reachable: how many cases were tried; in how many a hidden product was among the candidates.
    """

    features: NDArray[np.float32]
    label: NDArray[np.int8]
    group: NDArray[np.int32]
    shopper: NDArray[np.int32]
    cases: int
    reachable: int


def product_matrix(settings: Settings, store: FeatureStore, history: History, as_of: int) -> ProductMatrix:
    """Return the product side as known just before `as_of` (unix seconds)."""
    return ProductMatrix(
        history.catalogue,
        product_stats_at(store, history.catalogue, as_of),
        cooccurrence(history, as_of, settings.features),
        settings.features,
    )


def states_of(settings: Settings, store: FeatureStore, history: History, cases: Sequence[Case]) -> list[ShopperState]:
    """Return each case's shopper state at the case's moment, from the feature store."""
    shoppers = [history.shopper_ids[history.shopper[case.order]] for case in cases]
    return shopper_states(settings, store, shoppers, np.array([case.at for case in cases], dtype=np.int64))


def build_examples(
    settings: Settings,
    store: FeatureStore,
    history: History,
    windows: Sequence[Window],
    progress: Callable[[float], None],
) -> Examples:
    """Return the examples of all training folds.

    Cases in which no hidden product is a candidate teach a ranker nothing and are counted, but hold no rows.
    Product statistics of a fold are frozen at its start, as they are in a served model.

    Args:
        settings: windows, features, candidates, training.
        store: an open feature store. history: all orders. windows: the folds' target windows.
        progress: told the finished share.
    """
    parts: list[tuple[NDArray[np.float32], NDArray[np.bool_], int]] = []
    limit = -(-settings.training.max_cases // len(windows))
    tried = 0
    for fold, window in enumerate(windows):
        matrix = product_matrix(settings, store, history, window.start)
        cases = _sample(_fold_cases(settings, history, window), limit, settings.training.seed)
        states = states_of(settings, store, history, cases)
        tried += len(cases)
        for done, (case, state) in enumerate(zip(cases, states, strict=True)):
            context = Context(matrix, state, case.cart, case.at)
            candidates = generate(context, settings.candidates)
            label = np.isin(candidates, case.hidden)
            if label.any():
                parts.append((assemble(context, candidates), label, int(history.shopper[case.order])))
            if done % 200 == 0:
                progress((fold + done / len(cases)) / len(windows))
    return _stack(parts, tried)


def _fold_cases(settings: Settings, history: History, window: Window) -> list[Case]:
    return make_cases(
        history,
        window,
        hidden_share=settings.training.hidden_share,
        min_products=settings.windows.min_basket_products,
        seed=settings.windows.seed,
    )


def _sample(cases: list[Case], limit: int, seed: int) -> list[Case]:
    if len(cases) <= limit:
        return cases
    chosen = np.sort(np.random.default_rng(seed).choice(len(cases), limit, replace=False))
    return [cases[i] for i in chosen]


def _stack(parts: list[tuple[NDArray[np.float32], NDArray[np.bool_], int]], tried: int) -> Examples:
    group = np.array([features.shape[0] for features, _, _ in parts], dtype=np.int32)
    matrix = np.empty((int(group.sum()), len(COLUMNS)), dtype=np.float32)
    label = np.empty(int(group.sum()), dtype=np.int8)
    shopper = np.array([who for _, _, who in parts], dtype=np.int32)
    reachable, start = len(parts), 0
    parts.reverse()
    while parts:  # part by part, so that memory does not hold everything twice
        features, hit, _ = parts.pop()
        matrix[start : start + hit.size], label[start : start + hit.size] = features, hit
        start += hit.size
    return Examples(matrix, label, group, shopper, tried, reachable)
