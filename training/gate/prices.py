"""Check of the prices that a package would show: no figure of the rankers sees that all of them are cents for dollars.

Compared are the prices of the same products: with those that the champion shows, and with those that were paid. A
product has moved if its price differs by more than `price_factor`. Few do so honestly between two versions, and the
median of all hardly moves. A bug may concern all products a little (another currency) or a single category very much:
the median is held in tighter bounds than a product, and each category has one of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.gating import GateSettings
from features.decay import DAY
from features.history import SEPARATOR, History
from training.evaluation.metrics import Floats
from training.gate.verdict import Check
from training.package import ModelPackage

Flags = NDArray[np.bool_]

NAME = "prices"
EXAMPLES = 3


@dataclass(frozen=True)
class Reference:
    """Prices that those of a package are compared with.

    Attributes:
        name: in figures. says: which they are, as the end of a sentence.
        keys: int64[products], distinct. price: float64[products]; unknown if NaN or not above 0.
    """

    name: str
    says: str
    keys: NDArray[np.int64]
    price: Floats


@dataclass(frozen=True, eq=False)
class Moves:
    """How far the prices of a package are from those of a reference, over the products that have one in both.

    Attributes:
        package: whose prices. against: the reference. rows: int64[n], of the package.
        price, other: float64[n], its own and the reference's; 0 where the package has lost its price.
    """

    package: ModelPackage
    against: Reference
    rows: NDArray[np.int64]
    price: Floats
    other: Floats

    @classmethod
    def of(cls, package: ModelPackage, against: Reference) -> Moves:
        """Return the moves of a package's prices."""
        _, rows, others = np.intersect1d(package.products.keys, against.keys, assume_unique=True, return_indices=True)
        told = against.price[others] > 0
        rows, other = rows[told], against.price[others[told]]
        price = np.maximum(np.nan_to_num(package.matrix.price[rows].astype(np.float64)), 0.0)
        return cls(package, against, rows, price, other)

    @cached_property
    def ratio(self) -> Floats:
        """float64[n], own by other price."""
        return self.price / self.other

    def beyond(self, factor: float) -> Flags:
        """Return bool[n], whether a price is more than `factor` times the other, or less than a `factor`-th of it."""
        return (self.ratio > factor) | (self.ratio < 1 / factor)

    def all(self) -> Flags:
        """Return bool[n], every product."""
        return np.ones(self.rows.size, dtype=bool)

    def examples(self, which: Flags) -> list[str]:
        """Return those of some products that are sold most, each with both prices."""
        sold = self.package.matrix.stats.popularity[self.rows]
        chosen = np.lexsort((-sold, ~which))[: min(EXAMPLES, int(which.sum()))]
        titles, ids = self.package.products.titles, self.package.products.ids
        named = [titles[row] or ids[row] for row in self.rows[chosen].tolist()]
        pairs = zip(named, self.price[chosen], self.other[chosen], strict=True)
        return [f"{name} {price:.2f} instead of {other:.2f}" for name, price, other in pairs]


def shown_by(version: str, package: ModelPackage) -> Reference:
    """Return the prices that a registered version shows."""
    return Reference(
        "champion", f"version {version} shows", package.products.keys, package.matrix.price.astype(np.float64)
    )


def paid_before(history: History, as_of: int, days: float) -> Reference:
    """Return the median of what was paid for each product in so many days before a moment (unix seconds)."""
    lately = history.before(as_of).since(as_of - days * DAY)
    paid = medians(lately.unit_price, lately.product, len(history.catalogue))
    return Reference("paid", f"was paid in the {days:g} days before its cutoff", history.catalogue.keys, paid)


def prices(package: ModelPackage, references: Sequence[Reference], gate: GateSettings) -> Check:
    """Check that a package shows the prices of each reference, but for some honest changes.

    Args:
        package: the candidate. references: at least one has to share a priced product with it. gate: the bounds.
    """
    demanded = (
        f"≤ {gate.price_share:.0%} of products by over × {gate.price_factor:g}, median within × "
        f"{gate.price_median_factor:g}"
    )
    compared = [moves for moves in (Moves.of(package, one) for one in references) if moves.rows.size]
    if not compared:
        says = "there are no prices to compare its own with: `tillwise ingest` reads what was paid"
        return Check(NAME, False, "not compared", demanded, says)
    judged = [_judged(moves, gate) for moves in compared]
    wrong = [one.sentence for one in judged if not one.passed]
    first = min(judged, key=lambda one: one.passed)  # what speaks against it, if anything does
    return Check(
        NAME,
        not wrong,
        f"{first.figures['moved']:,} of {first.figures['products']:,}, median × {first.figures['median_factor']:.2f}",
        demanded,
        "; ".join(wrong or [one.sentence for one in judged]),
        {one.name: one.figures for one in judged},
    )


@dataclass(frozen=True)
class _Judged:
    name: str
    passed: bool
    sentence: str
    figures: Mapping[str, Any]


def _judged(moves: Moves, gate: GateSettings) -> _Judged:
    """Return what is to be said of a comparison: of all products, or of one category if only that is wrong."""
    category, concerned = "", moves.all()
    passed = _holds(moves, gate)
    if passed and (worst := _worst_category(moves, gate)) is not None:
        passed, (category, concerned) = False, worst
    moved = moves.beyond(gate.price_factor) & concerned
    products, count, median = int(concerned.sum()), int(moved.sum()), float(np.median(moves.ratio[concerned]))
    figures = {"products": products, "moved": count, "median_factor": round(median, 4), "category": category or None}
    counted = (
        f"{count:,} of {products:,} products{f' of {category}' if category else ''} moved by more than × "
        f"{gate.price_factor:g}, the median by × {median:.2f}"
    )
    if passed:
        return _Judged(moves.against.name, True, f"compared with what {moves.against.says}, {counted}", figures)
    examples = moves.examples(moved if count > gate.price_share * products else concerned)
    sentence = f"its prices are not what {moves.against.says}: {counted}, as {'; '.join(examples)}"
    return _Judged(moves.against.name, False, sentence, figures | {"examples": examples})


def _holds(moves: Moves, gate: GateSettings) -> bool:
    median, bound = float(np.median(moves.ratio)), gate.price_median_factor
    return float(moves.beyond(gate.price_factor).mean()) <= gate.price_share and 1 / bound <= median <= bound


def _worst_category(moves: Moves, gate: GateSettings) -> tuple[str, Flags] | None:
    """Return the name of the widest category whose median moved by more than `price_factor`, and who is in it.

    Returns:
        Of several at one level the one that moved furthest, and bool[n]; None if there is none.
    """
    levels = moves.package.products.levels
    for depth, level in ((1, levels.department), (-1, levels.parent), (None, levels.leaf)):
        of = level[moves.rows]
        size = np.bincount(of)
        middle = medians(moves.ratio, of, size.size)
        with np.errstate(divide="ignore"):
            step = np.where(size < gate.price_products, 0.0, np.abs(np.log(middle)))
        furthest = int(step.argmax())
        if step[furthest] > np.log(gate.price_factor):
            members: Flags = of == furthest
            path = moves.package.products.categories[moves.rows[members.argmax()]].split(SEPARATOR)
            return SEPARATOR.join(path[:depth] or path), members
    return None


def medians(values: Floats, group: NDArray[np.int32], groups: int) -> Floats:
    """Return float64[groups], the median of the values of each group; NaN for one that has none."""
    order = np.lexsort((values, group))
    count = np.bincount(group, minlength=groups)
    some = np.flatnonzero(count)
    start = (np.cumsum(count) - count)[some]
    low, high = (values[order[start + (count[some] - even) // 2]] for even in (1, 0))
    found = np.full(groups, np.nan)
    found[some] = (low + high) / 2
    return found
