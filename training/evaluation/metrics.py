"""How good ranked lists are, for all cases of one arm at once.

Every figure is a ratio of two sums over cases, so that one bootstrap serves means and weighted rates alike: per case
there is a numerator and a denominator (1 for a plain mean). The denominator of hit rate, recall, NDCG and MRR is always
all hidden products, reachable or not.

Sources: NDCG, Järvelin and Kekäläinen 2002 (TOIS); MRR, Voorhees 1999 (TREC-8); intra-list diversity, Ziegler et al.
2005 (WWW); novelty as mean self-information, Zhou et al. 2010 (PNAS) and Vargas and Castells 2011 (RecSys).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.context import ProductMatrix
from training.protocol import Case

CUTS = (5, 10, 20)
"""List lengths at which hit rate and recall are told, beside the setting's k."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Lists:
    """What one arm showed.

    Attributes:
        rows: int32[cases, depth] product rows, best first; -1 fills lists that are shorter.
    """

    rows: NDArray[np.int32]

    def top(self, k: int) -> Lists:
        """Return the first k places."""
        return Lists(self.rows[:, :k])

    @property
    def shown(self) -> NDArray[np.bool_]:
        """bool[cases, depth], whether there is a product."""
        return self.rows >= 0


@dataclass(frozen=True)
class Hidden:
    """What was to be found, all cases one after the other.

    Attributes:
        case: int32[hidden], ascending. product: int32[hidden], product rows, ascending and distinct within a case.
        count: int64[cases], at least 1 each.
    """

    case: NDArray[np.int32]
    product: NDArray[np.int32]
    count: NDArray[np.int64]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Hidden:
        """Return the hidden products of cases, at least one case."""
        count = np.array([case.hidden.size for case in cases], dtype=np.int64)
        case = np.repeat(np.arange(len(cases), dtype=np.int32), count)
        return cls(case, np.concatenate([case.hidden for case in cases]).astype(np.int32), count)

    @property
    def first(self) -> NDArray[np.int32]:
        """int32[cases], each case's first hidden product: its only one when one product is hidden."""
        first: NDArray[np.int32] = self.product[np.cumsum(self.count) - self.count]
        return first

    def per_case(self, values: Floats) -> Floats:
        """Return float64[cases], the sums over each case's hidden products of float64[hidden] values."""
        return np.bincount(self.case, weights=values, minlength=self.count.size).astype(np.float64, copy=False)


@dataclass(frozen=True)
class Products:
    """What the judgement needs to know of products; one entry a product.

    Attributes:
        price: float64, price level; NaN if unknown.
        category: int64, any number that names the leaf category.
        information: float64, bits: minus log2 of the product's share of all order lines before the cutoff.
    """

    price: Floats
    category: NDArray[np.int64]
    information: Floats

    @classmethod
    def of(cls, matrix: ProductMatrix) -> Products:
        """Return what a package's product side says.

        Shares count one line more a product than were sold, so that a product never sold is rare, not impossible.
        """
        lines = np.asarray(matrix.stats.orders, dtype=np.float64) + 1.0
        return cls(matrix.price.astype(np.float64), matrix.catalogue.category_keys, -np.log2(lines / lines.sum()))


@dataclass(frozen=True)
class Ratio:
    """One metric per case: float64[cases] numerator and denominator; the metric is the ratio of their sums."""

    numerator: Floats
    denominator: Floats

    @classmethod
    def mean(cls, values: Floats) -> Ratio:
        """Return the plain mean over the cases whose value is known (not NaN)."""
        known = ~np.isnan(values)
        return cls(np.where(known, values, 0.0), known.astype(np.float64))


def hits(lists: Lists, hidden: Hidden) -> NDArray[np.bool_]:
    """Return bool[cases, depth], whether the product at each place was hidden in the case's basket."""
    size = 1 + max(int(lists.rows.max(initial=0)), int(hidden.product.max(initial=0)))
    case = np.arange(lists.rows.shape[0], dtype=np.int64)[:, None]
    wanted = hidden.case.astype(np.int64) * size + hidden.product
    found: NDArray[np.bool_] = np.isin(case * size + lists.rows, wanted) & lists.shown
    return found


def accuracy(hit: NDArray[np.bool_], count: NDArray[np.int64], k: int) -> dict[str, Floats]:
    """Return float64[cases] each of hit rate, recall, NDCG and MRR at k.

    Args:
        hit: bool[cases, depth], see `hits`. count: int64[cases], hidden products. k: only the first k places count.
    """
    hit = hit[:, :k]
    gain = 1.0 / np.log2(np.arange(hit.shape[1]) + 2)
    ideal = np.cumsum(1.0 / np.log2(np.arange(k) + 2))[np.minimum(count, k) - 1]
    any_hit = hit.any(axis=1)
    first = hit.argmax(axis=1) if hit.shape[1] else np.zeros(count.size)
    return {
        "hit_rate": any_hit.astype(np.float64),
        "recall": hit.sum(axis=1) / count,
        "ndcg": hit @ gain / ideal,
        "mrr": np.where(any_hit, 1.0 / (first + 1.0), 0.0),
    }


def judge(lists: Lists, hidden: Hidden, products: Products, k: int) -> dict[str, Ratio]:
    """Return every metric of one arm, per case.

    The names without a number (`hit_rate`, `recall`, `ndcg`, `mrr`, …) are at k; `hit_rate@5` and the like say theirs.
    `value_weighted` is the price of the hidden products found over that of all hidden ones, prices unknown left out.
    `novelty` (bits), `diversity` (1 - share of pairs of the same leaf category) and `price_shown` are of the k shown.

    Args:
        lists: at least as long as the largest of k and `CUTS`, or as the arm could make them.
        hidden: of the same cases. products: of the catalogue. k: list length of the unnumbered names.
    """
    hit, top = hits(lists, hidden), lists.top(k)
    found = {name: Ratio.mean(values) for name, values in accuracy(hit, hidden.count, k).items()}
    for cut in CUTS:
        at_cut = accuracy(hit, hidden.count, cut)
        found |= {f"{name}@{cut}": Ratio.mean(at_cut[name]) for name in ("hit_rate", "recall")}
    found["value_weighted"] = _value_weighted(top, hit[:, :k], hidden, products.price)
    found["novelty"] = Ratio.mean(_mean_shown(top, products.information))
    found["diversity"] = Ratio.mean(diversity(top, products.category))
    found["price_shown"] = Ratio.mean(_mean_shown(top, products.price))
    return found


def coverage(lists: Lists, catalogue: int) -> float:
    """Return the share of a catalogue of so many products that appears in at least one list."""
    return np.unique(lists.rows[lists.shown]).size / catalogue


def diversity(lists: Lists, category: NDArray[np.int64]) -> Floats:
    """Return float64[cases], 1 - the share of a list's pairs in the same category; NaN for lists of under two."""
    shown = lists.shown
    named = category[np.where(shown, lists.rows, 0)]
    same = np.zeros(shown.shape[0])
    for distance in range(1, shown.shape[1]):  # pairs by how far apart they stand: no cases × k × k array
        both = shown[:, distance:] & shown[:, :-distance]
        same += (both & (named[:, distance:] == named[:, :-distance])).sum(axis=1)
    length = shown.sum(axis=1)
    return _divide(length * (length - 1) / 2 - same, length * (length - 1) / 2)


def _value_weighted(top: Lists, hit: NDArray[np.bool_], hidden: Hidden, price: Floats) -> Ratio:
    known = np.where(np.isnan(price), 0.0, price)
    won = (hit * known[np.where(top.shown, top.rows, 0)]).sum(axis=1)
    return Ratio(won, hidden.per_case(known[hidden.product]))


def _mean_shown(top: Lists, values: Floats) -> Floats:
    of_shown = np.where(top.shown, values[np.where(top.shown, top.rows, 0)], np.nan)
    known = ~np.isnan(of_shown)
    return _divide(np.where(known, of_shown, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    quotient = np.full(denominator.size, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def stack(ratios: Mapping[str, Ratio]) -> tuple[Floats, Floats]:
    """Return numerators and denominators as float64[cases, metrics], in the mapping's order."""
    return (
        np.stack([ratio.numerator for ratio in ratios.values()], axis=1),
        np.stack([ratio.denominator for ratio in ratios.values()], axis=1),
    )
