"""Rules made into arrays over one catalogue, so that a request costs a few vectorised steps on its pool."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.context import Context, ProductMatrix
from features.decay import DAY
from features.lookup import locate
from serving.rules.load import RuleFile
from serving.rules.schema import ALWAYS, Blocked, Boost, PriceBand, RecentlyBought, Restricted, When
from serving.rules.selection import Mask, Selection
from serving.rules.situation import Condition, Situation

Floats = NDArray[np.float64]
Rows = NDArray[np.int32]

POOL = 400
"""Products that an arm ranks for the rules: about as many as it has candidates."""

LARGEST = 50.0
"""Log-odds beyond which a sum of boosts means nothing more."""

ROUNDING = 1e-6
"""Share of a price: what float32 prices may differ from those told."""


@dataclass(frozen=True)
class Place:
    """A pinned product: its row, its place from 0, and when."""

    row: int
    position: int
    condition: Condition


@dataclass(frozen=True)
class Cap:
    """At most `limit` items of one code; code[products], -1 is not counted."""

    code: NDArray[np.integer]
    limit: int


class CompiledRules:
    """The rules of one file over one catalogue.

    Attributes:
        version: of the file. matrix: the product side with that catalogue. unknown: names the catalogue does not hold.
        inert: whether the file asks for nothing, so that an arm's own order stands.
        caps, pinned: as asked for; pinned by position.
        weight, best: of maximal marginal relevance; weight 1 is none.
    """

    def __init__(self, file: RuleFile, matrix: ProductMatrix) -> None:
        rules, self.version, self.matrix = file.rules, file.version, matrix
        self._zone, self._selection = rules.timezone, Selection(matrix)
        self._excluded = ~matrix.catalogue.in_stock
        self._blocked = [asked for one in rules.blocked if (asked := self._block(one))]
        self._restricted = [(one, self._mask_of(one), _folded(one)) for one in rules.restricted]
        self._interval = self._intervals(rules.recently_bought)
        self._bands = [(one, self._condition(one.when), self._band_mask(one)) for one in rules.price_bands]
        self._placements = [
            (one, self._condition(one.when), None if one.only is None else self._selection.mask(one.only))
            for one in rules.placements
        ]
        self._boost = _margin_boost(matrix, rules.boosts.margin)
        self._boosts = [rule for one in rules.boosts.promotions if (rule := self._promote(one))]
        self.caps = self._caps(file)
        self.pinned = self._places(file)
        self.weight, self.best = rules.diversity.weight, rules.diversity.best
        self.inert = rules.inert
        self._boosting = bool(self._boosts) or bool(self._boost.any())
        self.unknown = self._selection.unknown

    def pool(self, k: int) -> int:
        """Return how many products an arm has to rank so that the rules have a choice for k."""
        return k if self.inert else max(POOL, 2 * k)

    def allowed(self, context: Context, situation: Situation, rows: Rows) -> Mask:
        """Return bool[rows], which products may be shown."""
        allowed: Mask = ~(self._excluded[rows] | locate(context.cart, rows)[1])
        for condition, mask in self._blocked:
            if condition.holds(context, situation):
                allowed &= ~mask[rows]
        for one, mask, (there, not_there) in self._restricted:
            if not _may(one, situation, there, not_there):
                allowed &= ~mask[rows]
        if self._interval is not None:
            allowed &= ~self._recent(context, rows, self._interval)
        for band, condition, of_band in self._bands:
            if condition.holds(context, situation):
                allowed &= self._fits(band, of_band, situation, rows)
        for placement, condition, only in self._placements:
            if condition.holds(context, situation):
                allowed &= self._below(placement.price_at_most, rows)
                if only is not None:
                    allowed &= only[rows]
        return allowed

    def boost(self, context: Context, situation: Situation, rows: Rows) -> Floats:
        """Return float64[rows], log-odds to add."""
        if not self._boosting:
            return np.zeros(rows.size)
        boost: Floats = self._boost[rows].astype(np.float64)
        for log_odds, condition, mask in self._boosts:
            if condition.holds(context, situation):
                boost += log_odds * mask[rows]
        return np.clip(boost, -LARGEST, LARGEST)

    def length(self, context: Context, situation: Situation, k: int) -> int:
        """Return how many of k items may be shown."""
        limits = [
            placement.at_most
            for placement, condition, _ in self._placements
            if placement.at_most is not None and condition.holds(context, situation)
        ]
        return min([k, *limits])

    def pins(self, context: Context, situation: Situation, k: int) -> list[Place]:
        """Return the pinned products that hold for a list of k, by position, one a position."""
        places: dict[int, Place] = {}
        for pin in self.pinned:
            if pin.position < k and pin.condition.holds(context, situation):
                places.setdefault(pin.position, pin)
        return list(places.values())

    def _condition(self, when: When) -> Condition:
        cart = None if when.cart_holds is None else self._selection.mask(when.cart_holds)
        return Condition(when, self._zone, cart)

    def _mask_of(self, rule: Restricted) -> Mask:
        return self._selection.mask(rule.select)

    def _block(self, rule: Blocked) -> tuple[Condition, Mask] | None:
        """Return a rule that is to be asked each time; what always holds goes into the one mask that is looked at."""
        mask = self._selection.mask(rule.select)
        if rule.when == ALWAYS:
            self._excluded = self._excluded | mask
            return None
        return self._condition(rule.when), mask

    def _promote(self, rule: Boost) -> tuple[float, Condition, Mask] | None:
        mask = self._selection.mask(rule.select)
        if rule.when == ALWAYS:
            self._boost = (self._boost + rule.log_odds * mask).astype(np.float32)
            return None
        return rule.log_odds, self._condition(rule.when), mask

    def _band_mask(self, band: PriceBand) -> Mask | None:
        return None if band.select is None else self._selection.mask(band.select)

    def _intervals(self, rule: RecentlyBought) -> NDArray[np.float32] | None:
        """Return float32[products], days that must have passed since the shopper's last purchase; None for none."""
        if rule.share == 0:
            return None
        days = np.full(len(self.matrix.catalogue), rule.days, dtype=np.float32)
        for interval in sorted(rule.intervals, key=lambda one: len(one.category)):  # the longest path has the last word
            days[self._selection.below(interval.category)] = interval.days
        return days * np.float32(rule.share)

    def _recent(self, context: Context, rows: Rows, interval: NDArray[np.float32]) -> Mask:
        table = context.shopper.products
        place, known = table.find(self.matrix.catalogue.keys[rows])
        if not len(table):
            return known
        recent: Mask = known & (context.now - table.last_at[place] < interval[rows] * DAY)
        return recent

    def _fits(self, band: PriceBand, mask: Mask | None, situation: Situation, rows: Rows) -> Mask:
        """Return bool[rows], which products the band lets through."""
        reference = situation.cart_value if band.of == "cart_value" else situation.dearest_line
        if math.isnan(reference):
            return np.ones(rows.size, dtype=bool)
        price = self.matrix.price[rows]
        least = -math.inf if band.at_least is None else band.at_least * reference
        most = math.inf if band.at_most is None else band.at_most * reference
        fits: Mask = (price >= least * (1 - ROUNDING)) & (price <= most * (1 + ROUNDING))
        return fits if mask is None else fits | ~mask[rows]

    def _below(self, price: float | None, rows: Rows) -> Mask:
        if price is None:
            return np.ones(rows.size, dtype=bool)
        below: Mask = self.matrix.price[rows] <= price * (1 + ROUNDING)
        return below

    def _caps(self, file: RuleFile) -> list[Cap]:
        catalogue, caps = self.matrix.catalogue, file.rules.caps
        found = []
        if caps.category is not None:
            found.append(Cap(catalogue.levels.leaf, caps.category))
        if caps.department is not None:
            found.append(Cap(catalogue.levels.department, caps.department))
        if caps.brand is not None:
            code = np.unique(catalogue.brand_keys, return_inverse=True)[1]
            found.append(Cap(np.where(catalogue.brand_keys == 0, -1, code), caps.brand))
        groups = [(self._selection.mask(group.select), group.at_most) for group in caps.groups]
        return found + [Cap(np.where(mask, 0, -1), limit) for mask, limit in groups]

    def _places(self, file: RuleFile) -> list[Place]:
        found = []
        for pin in file.rules.pinned:
            row = self._selection.row(pin.product)
            if row is not None:
                found.append(Place(row, pin.position - 1, self._condition(pin.when)))
        return sorted(found, key=lambda place: place.position)  # stable: of one position the file's first stays first


def _folded(rule: Restricted) -> tuple[frozenset[str], frozenset[str]]:
    there, not_there = (
        frozenset(name.strip().casefold() for name in names) for names in (rule.countries, rule.not_in_countries)
    )
    return there, not_there


def _may(rule: Restricted, situation: Situation, there: frozenset[str], not_there: frozenset[str]) -> bool:
    """Return whether the request shows that this shopper may buy what the rule restricts."""
    old_enough = rule.minimum_age is None or (situation.age is not None and situation.age >= rule.minimum_age)
    here = situation.country
    return (
        old_enough and (not there or here in there) and (not not_there or (here is not None and here not in not_there))
    )


def _margin_boost(matrix: ProductMatrix, log_odds: float) -> NDArray[np.float32]:
    """Return float32[products], log-odds by margin over price, the usual one where it is unknown; 0 if none is told."""
    none = np.zeros(len(matrix.catalogue), dtype=np.float32)
    if log_odds == 0:
        return none
    price, margin = matrix.price, matrix.catalogue.margin
    known = ~np.isnan(margin) & (price > 0)
    if not known.any():
        return none
    usual = np.median(margin[known] / price[known])
    share = np.where(price > 0, matrix.worth / np.where(price > 0, price, 1), usual)
    boost: NDArray[np.float32] = (log_odds * np.clip(share, -1, 1)).astype(np.float32)
    return boost
