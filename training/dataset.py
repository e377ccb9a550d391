"""Training examples: baskets of past windows, their candidates, features and which of them were hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs import Settings
from features.context import Context, ProductMatrix
from features.cooccurrence import cooccurrences
from features.definitions import FEATURES, Feature, assemble, columns_of
from features.history import History, ingest_record
from features.shopper import ShopperState
from features.store import product_stats_at, shopper_states
from features.windows import Window
from training.candidates import generate
from training.examples import Examples, Split
from training.parallel import chunks_of, give_memory_back, map_forked
from training.protocol import Case, make_cases

if TYPE_CHECKING:
    from feast import FeatureStore


def product_matrix(settings: Settings, store: FeatureStore, history: History, as_of: int) -> ProductMatrix:
    """Return the product side as known just before `as_of` (unix seconds)."""
    return next(product_matrices(settings, store, history, [as_of]))


def product_matrices(
    settings: Settings, store: FeatureStore, history: History, moments: Sequence[int]
) -> Iterator[ProductMatrix]:
    """Yield the product side as known just before each of the ascending `moments`, counting no order twice."""
    for as_of, together in zip(moments, cooccurrences(history, moments, settings.features), strict=True):
        stats = product_stats_at(store, history.catalogue, as_of)
        yield ProductMatrix(history.catalogue, stats, together, settings.features)


def side_with_encoder(settings: Settings, store: FeatureStore, history: History, as_of: int) -> ProductMatrix:
    """Return the product side with an encoder of its own, both knowing nothing from `as_of` (unix seconds) on."""
    return next(sides_over_time(settings, store, history, [as_of]))


def sides_over_time(
    settings: Settings,
    store: FeatureStore,
    history: History,
    moments: Sequence[int],
    tell: Callable[[float], None] = lambda _: None,
) -> Iterator[ProductMatrix]:
    """Yield the product side with an encoder, which learns along, as known just before each of the ascending `moments`.

    Args:
        settings, store, history: as of `product_matrices`.
        tell: hears the finished share of the first fit, which takes most of the time.
    """
    from training.encoder.fit import EncoderFit  # PyTorch: 2 s, which whoever fits nothing does not pay

    encoder = EncoderFit(history, ingest_record(settings.work.data)["timezone"], settings.encoder)
    for place, matrix in enumerate(product_matrices(settings, store, history, moments)):
        fitted = encoder.until(matrix, moments[place], tell if place == 0 else lambda _: None)
        yield replace(matrix, encoder=fitted)


def states_of(settings: Settings, store: FeatureStore, history: History, cases: Sequence[Case]) -> list[ShopperState]:
    """Return each case's shopper state at the case's moment, from the feature store."""
    shoppers = [history.shopper_ids[history.shopper[case.order]] for case in cases]
    return shopper_states(settings, store, shoppers, np.array([case.at for case in cases], dtype=np.int64))


def build_examples(
    settings: Settings,
    store: FeatureStore,
    history: History,
    windows: Sequence[Window],
    *,
    sides: Iterable[ProductMatrix],
    progress: Callable[[float], None],
    features: Sequence[Feature] = FEATURES,
) -> Split:
    """Return the examples of all training folds, in memory; arguments as of `draw_examples`."""
    width = len(columns_of(features))
    learn, held_back = _Pile(width), _Pile(width)
    drawn = draw_examples(settings, store, history, windows, sides=sides, progress=progress, features=features)
    for to_learn, to_hold_back in drawn:
        learn.take(to_learn)
        held_back.take(to_hold_back)
    split = Split(learn.stack(), held_back.stack())
    give_memory_back()
    return split


def draw_examples(
    settings: Settings,
    store: FeatureStore,
    history: History,
    windows: Sequence[Window],
    *,
    sides: Iterable[ProductMatrix],
    progress: Callable[[float], None],
    features: Sequence[Feature] = FEATURES,
) -> Iterator[tuple[Examples, Examples]]:
    """Yield the examples of all training folds piece by piece: (to learn from, held back) of some baskets each.

    A basket to learn from is drawn several times: once with a share of it hidden, as carts early in the shopping
    trip are, and with single products hidden, as carts at checkout are; of its candidates that were not hidden a
    share is enough. Product statistics of a fold are frozen at its start, as they are in a served model.

    Args:
        settings: windows, features, candidates, training.
        store: an open feature store. history: all orders. windows: the folds' target windows.
        sides: the product side as known just before each window, in their order; more of them are left alone.
        progress: told the finished share.
        features: what the columns are; the ranker's own unless an idea is tried.
    """
    shopper_held_back = held_back_shoppers(history, settings)
    limit = -(-settings.training.max_baskets // len(windows))
    for fold, (window, matrix) in enumerate(zip(windows, sides, strict=False)):
        cases = sampled(_fold_cases(settings, history, window), limit, settings.training.seed)
        states = states_of(settings, store, history, cases)
        apart = shopper_held_back[history.shopper[[case.order for case in cases]]]
        draw = _Fold(settings, matrix, cases, states, apart, features).draw
        chunks = chunks_of(len(cases))
        for done, pieces in enumerate(map_forked(draw, chunks, settings.training.workers), 1):
            yield pieces
            progress((fold + done / len(chunks)) / len(windows))
        give_memory_back()


def held_back_shoppers(history: History, settings: Settings) -> NDArray[np.bool_]:
    """Return bool[shoppers], whose baskets steer early stopping and calibration instead of being learned from."""
    shoppers = len(history.shopper_ids)
    count = max(1, round(settings.training.validation_share * shoppers))
    chosen = np.zeros(shoppers, dtype=bool)
    chosen[np.random.default_rng(settings.training.seed).permutation(shoppers)[:count]] = True
    return chosen


@dataclass
class _Pile:
    """Examples of `width` columns that are being collected, piece by piece; `tried` counts the draws made."""

    width: int
    parts: list[Examples] = field(default_factory=list)
    tried: int = 0

    def take(self, other: Examples) -> None:
        """Add examples and the draws that were made for them."""
        self.parts.append(other)
        self.tried += other.tried

    def add(self, features: NDArray[np.float32], label: NDArray[np.bool_]) -> None:
        """Add one draw's candidates."""
        self.parts.append(Examples(features, label.astype(np.int8), np.array([label.size], dtype=np.int32), 1))

    def stack(self) -> Examples:
        """Return everything as one, emptying the pile, so that memory does not hold it twice."""
        rows = sum(part.label.size for part in self.parts)
        features, label = np.empty((rows, self.width), dtype=np.float32), np.empty(rows, dtype=np.int8)
        group = np.concatenate([np.empty(0, dtype=np.int32), *(part.group for part in self.parts)])
        start = 0
        self.parts.reverse()
        while self.parts:
            part = self.parts.pop()
            end = start + part.label.size
            features[start:end], label[start:end], start = part.features, part.label, end
        return Examples(features, label, group, self.tried)


@dataclass(frozen=True)
class _Fold:
    """What drawing from one fold's baskets needs; `held_back`: bool[cases]."""

    settings: Settings
    matrix: ProductMatrix
    cases: Sequence[Case]
    states: Sequence[ShopperState]
    held_back: NDArray[np.bool_]
    features: Sequence[Feature]

    def draw(self, numbers: range) -> tuple[Examples, Examples]:
        """Return the draws of the cases so numbered: those to learn from, those held back.

        Each as one piece: large arrays travel and are freed at less cost than many small ones.
        """
        width = len(columns_of(self.features))
        learn, held_back = _Pile(width), _Pile(width)
        for number in numbers:
            case = self.cases[number]
            apart = bool(self.held_back[number])
            rng = np.random.default_rng([self.settings.training.seed, case.order])
            draws = _draws(case, self.settings.training.single_draws, rng)
            for cart, hidden in draws[1:] if apart else draws:
                pile, share = (held_back, 1.0) if apart else (learn, self.settings.training.negatives_share)
                pile.tried += 1
                context = Context(self.matrix, self.states[number], cart, case.at)
                candidates = generate(context, self.settings.candidates)
                label = np.isin(candidates, hidden)
                if label.any() or (apart and label.size):
                    kept = label | (rng.random(label.size) < share)
                    pile.add(assemble(context, candidates[kept], self.features), label[kept])
        return learn.stack(), held_back.stack()


def _draws(case: Case, single: int, rng: np.random.Generator) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Return (cart, hidden) as the case has them, then with single products hidden."""
    basket = np.sort(np.concatenate([case.cart, case.hidden]))
    chosen = rng.permutation(basket.size)[:single]
    return [(case.cart, case.hidden), *((np.delete(basket, place), basket[[place]]) for place in chosen)]


def _fold_cases(settings: Settings, history: History, window: Window) -> list[Case]:
    return make_cases(
        history,
        window,
        hidden_share=settings.training.hidden_share,
        min_products=settings.windows.min_basket_products,
        seed=settings.windows.seed,
    )


def sampled(cases: list[Case], limit: int, seed: int) -> list[Case]:
    """Return so many of the cases at most, chosen by chance, in their order."""
    if len(cases) <= limit:
        return cases
    chosen = np.sort(np.random.default_rng(seed).choice(len(cases), limit, replace=False))
    return [cases[i] for i in chosen]
