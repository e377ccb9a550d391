"""Simulated people, and models of which they like the answers more or less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.watch.reading import Answers

PEOPLE = 3_000
SHOWN = 5
AGAIN = 0.3
"""Chance that an answer is for whoever asked just before."""


@dataclass(frozen=True)
class Taste:
    """How people and a model behave: chance of an add and of a click, ms an answer takes, chance that the model fails,
    mean score, how many products there are to show.
    """

    adds: float = 0.3
    clicks: float = 0.4
    latency_ms: float = 4.0
    fails: float = 0.0
    score: float = 0.0
    products: int = 400


class Crowd:
    """People who come back, some of them often and many times in a row, each with a liking of their own.

    Moments count answers.
    """

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        often = self._chance.gamma(0.5, 1.0, PEOPLE)
        self._often = often / often.sum()
        self._liking = self._chance.beta(8 * 0.12, 8 * 0.88, PEOPLE) / 0.12
        self._liking /= float(self._often @ self._liking)
        self._count = 0

    def answers(self, count: int, taste: Taste) -> Answers:
        """Return the next answers, with what came of them."""
        chance = self._chance
        again = chance.random(count) < AGAIN
        again[0] = False
        first = np.maximum.accumulate(np.where(again, 0, np.arange(count)))
        unit = chance.choice(PEOPLE, count, p=self._often)[first]
        liking = self._liking[unit]
        failed = chance.random(count) < taste.fails
        start, self._count = self._count, self._count + count
        shown = chance.integers(0, taste.products, (count, SHOWN)).tolist()
        return Answers(
            request_ids=[f"r{number:09d}" for number in range(start, start + count)],
            units=[f"u{number}" for number in unit.tolist()],
            at=np.arange(start, start + count, dtype=np.float64),
            latency_ms=taste.latency_ms * chance.lognormal(0, 0.4, count),
            failed=failed,
            affinity=np.where(failed, np.nan, taste.score + chance.normal(0, 1, count)),
            products=[[str(product) for product in row] for row in shown],
            clicked=chance.random(count) < np.minimum(1, taste.clicks * liking),
            attached=chance.random(count) < np.minimum(1, taste.adds * liking),
        )
