"""Choosing what is shown: rules over an arm's ranked pool, then the best by score, unlikeness and caps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.top import top_rows
from serving.rules.compiled import CompiledRules, Floats, Place, Rows
from serving.rules.situation import Situation


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is shown, in this order.

    Attributes:
        rows: int32[n], product rows.
        scores: float64[n], the arm's with what the rules added; of a product that the arm did not rank, the lowest.
        added: float64[n], what the rules added to each score; all of it for a product that the arm did not rank.
        ranked: bool[n], whether the arm did; else the product is pinned.
    """

    rows: Rows
    scores: Floats
    added: Floats
    ranked: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pool:
    """What an arm ranked for a request.

    Attributes:
        rows: int32[n], distinct product rows, best first. scores: float64[n], of equal scores the earlier is better.
        log_odds: whether the scores are; others are amounts, and a boost multiplies them by its exponential.
    """

    rows: Rows
    scores: Floats
    log_odds: bool


def choose(rules: CompiledRules, context: Context, situation: Situation, pool: Pool, k: int) -> Chosen:
    """Return at most k of an arm's pool, and pinned products.

    Args:
        rules: compiled over the context's products. context, situation: the request. pool: of the arm.
        k: at least 1.
    """
    if rules.inert:
        size = min(k, pool.rows.size)
        return Chosen(pool.rows[:k], pool.scores[:k], np.zeros(size), np.ones(size, dtype=bool))
    k = rules.length(context, situation, k)
    pins = rules.pins(context, situation, k)
    eligible = _boosted(rules, context, situation, pool)
    if pins:
        eligible = eligible.with_pinned(_extra(rules, context, situation, pool, pins))
    placed = {pin.position: place for pin in pins if (place := eligible.place_of(pin.row)) is not None}
    taken = np.array(_Picker(rules, eligible).pick(placed, k), dtype=np.intp)
    ranked = taken < eligible.ranked
    return Chosen(eligible.rows[taken], eligible.scores[taken], eligible.added[taken], ranked)


@dataclass(frozen=True, slots=True)
class _Eligible:
    """What may be shown, best first; `ranked` of them the arm ranked, those behind are pinned."""

    rows: Rows
    scores: Floats
    added: Floats
    ranked: int

    def with_pinned(self, rows: Rows) -> _Eligible:
        """Return the same with products behind that the arm did not rank."""
        if not rows.size:
            return self
        lowest = np.full(rows.size, self.scores[-1] if self.scores.size else 0.0)
        return _Eligible(
            np.concatenate([self.rows, rows]),
            np.concatenate([self.scores, lowest]),
            np.concatenate([self.added, lowest]),
            self.ranked,
        )

    def place_of(self, row: int) -> int | None:
        """Return where a product stands; None if it may not be shown."""
        found = np.flatnonzero(self.rows == row)
        return int(found[0]) if found.size else None


def _boosted(rules: CompiledRules, context: Context, situation: Situation, pool: Pool) -> _Eligible:
    kept = rules.allowed(context, situation, pool.rows)
    rows, scores = pool.rows[kept], pool.scores[kept]
    boost = rules.boost(context, situation, rows)
    added = boost if pool.log_odds else np.abs(scores) * np.expm1(boost)  # what sells at a loss scores below 0
    boosted = scores + added
    order = top_rows(boosted, boosted.size)
    return _Eligible(rows[order], boosted[order], added[order], rows.size)


def _extra(rules: CompiledRules, context: Context, situation: Situation, pool: Pool, pins: list[Place]) -> Rows:
    """Return the pinned products that the arm did not rank, as far as they may be shown."""
    extra = np.array(sorted({pin.row for pin in pins}), dtype=np.int32)
    extra = extra[~np.isin(extra, pool.rows)]
    return extra[rules.allowed(context, situation, extra)] if extra.size else extra


class _Picker:
    """Picks one item after the other: the one worth most, given those picked before, of those that no cap closes.

    Maximal marginal relevance (Carbonell and Goldstein 1998, SIGIR): weight · relevance − (1 − weight) · the highest
    cosine with anything picked, over the best so many; relevance is the score, scaled to [0, 1] among them. What comes
    after the best follows in the order of scores.
    """

    def __init__(self, rules: CompiledRules, pool: _Eligible) -> None:
        size = pool.rows.size
        best = min(rules.best, pool.ranked) if rules.weight < 1 else 0
        self._ranked, self._unlike = pool.ranked, 1.0 - rules.weight
        self._caps = [(cap.code[pool.rows], cap.limit, dict[int, int]()) for cap in rules.caps]
        self._vectors = rules.matrix.together.vectors
        self._rows, self._best = pool.rows, self._vectors[pool.rows[:best]]
        self._highest = np.zeros(best, dtype=np.float32)
        self._base = -np.arange(size, dtype=np.float64)
        if best:
            self._base -= 2.0  # below anything among the best, whose worth is from -1 to 1
            self._base[:best] = rules.weight * _scaled(pool.scores[:best])
        self._worth = self._base.copy()

    def pick(self, placed: dict[int, int], k: int) -> list[int]:
        """Return places in the pool in the order in which they are shown.

        Args:
            placed: position → place in the pool; a cap that is reached takes a pin away. k: most that are shown.
        """
        pins = {position: place for position, place in sorted(placed.items()) if self._take(place)}
        self._base[self._ranked :] = self._worth[self._ranked :] = -np.inf
        others: list[int] = []
        while len(others) + len(pins) < k and self._worth.size:
            place = int(self._worth.argmax())
            if not self._take(place):
                break
            others.append(place)
        return _placed(pins, others)

    def _take(self, place: int) -> bool:
        """Close a place and what its caps close with it; return whether it was open."""
        if self._base[place] == -np.inf:
            return False
        self._close(place)
        for code, limit, count in self._caps:
            own = int(code[place])
            count[own] = count.get(own, 0) + 1
            if own >= 0 and count[own] >= limit:
                self._close(code == own)
        best = self._highest.size
        if best:
            np.maximum(self._highest, self._best @ self._vectors[self._rows[place]], out=self._highest)
            self._worth[:best] = self._base[:best] - self._unlike * self._highest
        return True

    def _close(self, places: int | NDArray[np.bool_]) -> None:
        self._base[places] = self._worth[places] = -np.inf


def _scaled(scores: Floats) -> Floats:
    """Return scores, highest first, scaled to [0, 1]; 0 where all are equal."""
    if not scores.size or scores[0] == scores[-1]:
        return np.zeros(scores.size)
    scaled: Floats = (scores - scores[-1]) / (scores[0] - scores[-1])
    return scaled


def _placed(pins: dict[int, int], others: list[int]) -> list[int]:
    """Return pins at their positions and the others in order around them; without enough others, pins move up."""
    shown: list[int] = []
    rest, waiting = iter(others), dict(pins)
    for position in range(len(pins) + len(others)):
        place = waiting.pop(position, None)
        if place is None:
            place = next(rest, None)
        if place is None:
            place = waiting.pop(min(waiting))
        shown.append(place)
    return shown
