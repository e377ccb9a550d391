"""What both models make of the same baskets, none of which either has seen: those of the newest held-out days.

Cases, shopper states and metrics are those of `evaluate`. The champion may know another catalogue than the data of
today, so carts and lists are translated by product id: what a package doesn't know, it can neither read nor show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs import Settings
from configs.errors import DataError, NotBuiltError
from configs.moments import moment
from features.context import Context
from features.history import History, ingest_record, load_history
from features.shopper import ShopperState
from features.store import open_store
from features.windows import Window, cut_windows
from training.dataset import sampled, states_of
from training.evaluation.metrics import Floats, Hidden, Lists, accuracy, hits
from training.evaluation.slices import Slicing, request_slicings
from training.golden import Golden
from training.package import ModelPackage
from training.parallel import chunks_of, map_forked
from training.protocol import HIDDEN_SHARE, Case, make_cases
from training.recommender import Recommender

Rows = NDArray[np.int32]
ARM = "model"


@dataclass(frozen=True)
class FreshCases:
    """Baskets that no model of those compared has seen.

    Attributes:
        history: all orders. cases: at least one. states: the shopper of each just before it.
        window: the days they are of. groups: ways to group them, by name.
    """

    history: History
    cases: Sequence[Case]
    states: Sequence[ShopperState]
    window: Window
    groups: Mapping[str, Slicing]

    @property
    def shopper(self) -> Rows:
        """int32[cases], who."""
        return self.history.shopper[[case.order for case in self.cases]]

    def named(self, count: int, seed: int) -> list[Golden]:
        """Return so many of the requests at most, chosen by chance, in product ids and without an answer."""
        chosen = np.random.default_rng(seed).permutation(len(self.cases))[:count]
        ids, asked = self.history.catalogue.ids, []
        for number in chosen.tolist():
            case = self.cases[number]
            cart = tuple(ids[row] for row in case.cart)
            asked.append(Golden(cart, self.states[number], case.at, ARM, ()))
        return asked


def fresh_cases(settings: Settings, cutoffs: Sequence[int]) -> FreshCases | str:
    """Return the baskets of the test window after every one of the cutoffs, or the sentence that says why none are.

    Args:
        settings: of a work folder with data and features. cutoffs: `as_of` of each package, unix seconds.
    """
    try:
        history, store = load_history(settings.work.data), open_store(settings)
        test = cut_windows(history, ingest_record(settings.work.data)["timezone"], settings.windows).test
    except (NotBuiltError, DataError) as error:
        return f"there are no baskets to compare on: {error}"
    window = Window(max(test.start, *cutoffs), test.end)
    least, seed = settings.windows.min_basket_products, settings.windows.seed
    cases = make_cases(history, window, hidden_share=HIDDEN_SHARE["loo"], min_products=least, seed=seed)
    cases = sampled(cases, settings.registry.gate.most_cases, seed)
    if not cases:
        return (
            f"there are no fresh baskets to compare on: none of {least} products lies between {moment(window.start)}, "
            f"up to which one of the models may have seen everything, and {moment(window.end)}; build with a cutoff "
            "that leaves some days to judge on (TILLWISE_WINDOWS__TEST_DAYS, --as-of), or wait for new orders"
        )
    states = states_of(settings, store, history, cases)
    return FreshCases(history, cases, states, window, request_slicings(history, cases, states, window.start))


def found_by(
    package: ModelPackage, fresh: FreshCases, k: int, workers: int, tell: Callable[[float], None]
) -> dict[str, Floats]:
    """Return what the package's model gets of the fresh cases: float64[cases] of each accuracy metric at k.

    Args:
        package: ranks with its arm `model`. fresh: the cases. k: length of its lists.
        workers: processes; 0: one per core. tell: hears the finished share.
    """
    theirs = _Translated(package, fresh.history.catalogue.ids)
    recommender, chunks = Recommender(package), chunks_of(len(fresh.cases))

    def rank(chunk: range) -> Rows:
        lists = np.full((len(chunk), k), -1, dtype=np.int32)
        for place, number in enumerate(chunk):
            case = fresh.cases[number]
            context = Context(package.matrix, fresh.states[number], theirs.cart(case.cart), case.at)
            rows, _ = recommender.rank(context, k)
            lists[place, : rows.size] = theirs.ours[rows]
        return lists

    parts = []
    for part in map_forked(rank, chunks, workers):
        parts.append(part)
        tell(len(parts) / len(chunks))
    hidden = Hidden.of(fresh.cases)
    return accuracy(hits(Lists(np.concatenate(parts)), hidden), hidden.count, k)


class _Translated:
    """Product rows of today's data in those of a package, and back.

    Attributes:
        ours: int32[products of the package], their rows in the data; beyond all of them where the data have none.
    """

    def __init__(self, package: ModelPackage, ids: Sequence[str]) -> None:
        row_of = {product: row for row, product in enumerate(ids)}
        theirs = package.matrix.row_of
        self.ours = np.array([row_of.get(product, len(ids)) for product in package.products.ids], dtype=np.int32)
        self._theirs = np.array([theirs.get(product, -1) for product in ids], dtype=np.int32)

    def cart(self, rows: Rows) -> Rows:
        """Return the package's rows, ascending, of the products that it knows."""
        known = self._theirs[rows]
        return np.sort(known[known >= 0])
