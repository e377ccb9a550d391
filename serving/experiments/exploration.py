"""Filling the last places of an answer by chance, with the exact probability of what is shown.

With probability ε, the last n places are filled with n different products drawn from the pool, in random order: the P
products ranked from the first of those places on, or fewer if there are no more. Otherwise they keep what was ranked
there. Every product of the pool is then equally likely at each of these places, so that the probability of the product
i at such a place j, given the context, is exactly

    (1 − ε) · [i was ranked at j] + ε / P

and 1 at the places before. Nothing is estimated. Every product of the pool can come to every one of the places, which
is what off-policy estimates need. Only P distinguishes short lists, so it is counted whether chance rules or not.

Chance is a hash of the request's id: who holds an exposure can draw it again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import mmh3

from serving.experiments.file import Exploration

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explored(Generic[T]):
    """What an answer shows.

    Attributes:
        shown: best place first. propensities: probability of each at its place, given the context.
        pool: what chance could have shown besides; empty unless it ruled.
        changed: whether chance ruled; it may have drawn what was ranked there anyway.
    """

    shown: Sequence[T]
    propensities: Sequence[float]
    pool: Sequence[T]
    changed: bool


def depth(k: int, plan: Exploration | None) -> int:
    """Return how many ranked products are needed to show k of them."""
    return k if plan is None else max(k, k - min(plan.slots, k) + plan.pool)


def explore(ranked: Sequence[T], k: int, plan: Exploration | None, seed: str) -> Explored[T]:
    """Return what to show of `depth(k, plan)` ranked things, fewer if there are no more.

    Args:
        ranked: distinct, best first. k: how many are shown at most. plan: None: the best k. seed: the request's id.
    """
    shown = ranked[:k]
    if plan is None:
        return Explored(shown, [1.0] * len(shown), [], False)
    first = k - min(plan.slots, k)
    pool = ranked[first : first + plan.pool]
    if not pool:  # the list ends before the places of chance
        return Explored(shown, [1.0] * len(shown), [], False)
    places = range(len(shown) - first)
    drawn = list(places)
    changed = mmh3.hash(seed, 1, signed=False) < plan.epsilon * 2**32
    if changed:
        drawn = random.Random(seed).sample(range(len(pool)), len(places))
    by_chance = plan.epsilon / len(pool)
    propensities = [1.0] * first + [(1 - plan.epsilon) * (drawn[place] == place) + by_chance for place in places]
    shown = [*ranked[:first], *(pool[place] for place in drawn)]
    others = [thing for place, thing in enumerate(pool) if place not in drawn] if changed else []
    return Explored(shown, propensities, others, changed)
