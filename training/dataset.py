"""Training examples: baskets of past windows, their candidates, features and which of them were hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs import Settings
from features.context import Context, ProductMatrix
from features.cooccurrence import cooccurrences
from features.definitions import COLUMNS, assemble
from features.history import History
from features.shopper import ShopperState
from features.store import product_stats_at, shopper_states
from features.windows import Window
from training.candidates import generate
from training.encoder.fit import EncoderFit
from training.examples import Examples, Split
from training.parallel import chunks_of, give_memory_back, map_forked
from training.protocol import Case, make_cases

if TYPE_CHECKING:
    from feast import FeatureStore


ENCODER_SHARE = 0.5
"""About how much of the time goes into the encoder's first fit."""


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
    encoder: EncoderFit,
    progress: Callable[[str, float], None],
) -> tuple[Split, ProductMatrix]:
    """Return the examples of all training folds, and the product side as known just after the last fold.

    A basket to learn from is drawn several times: once with a share of it hidden, as carts early in the shopping
    trip are, and with single products hidden, as carts at checkout are; of its candidates that were not hidden a
    share is enough. Product statistics of a fold are frozen at its start, as they are in a served model.

    Args:
        settings: windows, features, candidates, training.
        store: an open feature store. history: all orders. windows: the folds' target windows.
        encoder: has seen no order yet; it learns along, each fold being scored by what it was at the fold's start.
        progress: told what is going on, and the finished share.
    """
    shopper_held_back = held_back_shoppers(history, settings)
    limit = -(-settings.training.max_baskets // len(windows))
    learn, held_back = _Pile(), _Pile()
    moments = [*(window.start for window in windows), windows[-1].end]
    matrices = _with_encoder(product_matrices(settings, store, history, moments), moments, encoder, progress)
    for fold, (window, matrix) in enumerate(zip(windows, matrices, strict=False)):
        at = ENCODER_SHARE + (1 - ENCODER_SHARE) * fold / len(windows)
        cases = _sample(_fold_cases(settings, history, window), limit, settings.training.seed)
        states = states_of(settings, store, history, cases)
        apart = shopper_held_back[history.shopper[[case.order for case in cases]]]
        draw = _Fold(settings, matrix, cases, states, apart).draw
        chunks = chunks_of(len(cases))
        for done, (to_learn, to_hold_back) in enumerate(map_forked(draw, chunks, settings.training.workers), 1):
            learn.take(to_learn)
            held_back.take(to_hold_back)
            progress("building examples", at + (1 - ENCODER_SHARE) * done / len(chunks) / len(windows))
        give_memory_back()
    del matrix, cases, states, draw  # and with the last matrix go the pair counts, before stacking takes its memory
    (after,) = matrices
    split = Split(learn.stack(), held_back.stack())
    give_memory_back()
    return split, after


def _with_encoder(
    matrices: Iterator[ProductMatrix],
    moments: Sequence[int],
    encoder: EncoderFit,
    progress: Callable[[str, float], None],
) -> Iterator[ProductMatrix]:
    share = 0.0
    for matrix, moment in zip(matrices, moments, strict=True):
        known = share  # the first fit takes most of the time, later ones go on from it

        def tell(done: float, known: float = known) -> None:
            progress("training the encoder", max(known, ENCODER_SHARE * done))

        yield replace(matrix, encoder=encoder.until(matrix, moment, tell))
        share += (1 - ENCODER_SHARE) / len(moments) + (ENCODER_SHARE if not share else 0.0)


def held_back_shoppers(history: History, settings: Settings) -> NDArray[np.bool_]:
    """Return bool[shoppers], whose baskets steer early stopping and calibration instead of being learned from."""
    shoppers = len(history.shopper_ids)
    count = max(1, round(settings.training.validation_share * shoppers))
    chosen = np.zeros(shoppers, dtype=bool)
    chosen[np.random.default_rng(settings.training.seed).permutation(shoppers)[:count]] = True
    return chosen


@dataclass
class _Pile:
    """Examples that are being collected, piece by piece; `tried` counts the draws made."""

    parts: list[Examples] = field(default_factory=list)
    tried: int = 0

    def take(self, other: _Pile) -> None:
        """Add another pile's examples."""
        self.parts += other.parts
        self.tried += other.tried

    def add(self, features: NDArray[np.float32], label: NDArray[np.bool_]) -> None:
        """Add one draw's candidates."""
        self.parts.append(Examples(features, label.astype(np.int8), np.array([label.size], dtype=np.int32), 1))

    def stack(self) -> Examples:
        """Return everything as one, emptying the pile, so that memory does not hold it twice."""
        rows = sum(part.label.size for part in self.parts)
        features, label = np.empty((rows, len(COLUMNS)), dtype=np.float32), np.empty(rows, dtype=np.int8)
        group = np.concatenate([np.empty(0, dtype=np.int32), *(part.group for part in self.parts)])
        start = 0
        self.parts.reverse()
        while self.parts:
            part = self.parts.pop()
            end = start + part.label.size
            features[start:end], label[start:end], start = part.features, part.label, end
        return Examples(features, label, group, self.tried)

    def stacked(self) -> _Pile:
        """Return a pile with one piece: large arrays travel and are freed at less cost than many small ones."""
        return _Pile([self.stack()], self.tried)


@dataclass(frozen=True)
class _Fold:
    """What drawing from one fold's baskets needs; `held_back`: bool[cases]."""

    settings: Settings
    matrix: ProductMatrix
    cases: Sequence[Case]
    states: Sequence[ShopperState]
    held_back: NDArray[np.bool_]

    def draw(self, numbers: range) -> tuple[_Pile, _Pile]:
        """Return the draws of the cases so numbered: those to learn from, those held back."""
        learn, held_back = _Pile(), _Pile()
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
                    pile.add(assemble(context, candidates[kept]), label[kept])
        return learn.stacked(), held_back.stacked()


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


def _sample(cases: list[Case], limit: int, seed: int) -> list[Case]:
    if len(cases) <= limit:
        return cases
    chosen = np.sort(np.random.default_rng(seed).choice(len(cases), limit, replace=False))
    return [cases[i] for i in chosen]
