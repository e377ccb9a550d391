"""The figures that are watched: what each answer says of them, as numbers in [0, 1] of which large ones are bad.

What a person adds or clicks, and how well answers fit, tells of people: a person counts once in each block of answers.
Latency, fallbacks and coverage tell of the machine and of the catalogue: a run of answers counts once. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitoring.watch.reading import Answers

Floats = NDArray[np.float64]
Name = Literal["attach_rate", "click_rate", "coverage", "affinity", "latency", "fallback_share"]


@dataclass(frozen=True)
class Yardstick:
    """What single answers are measured by: ms from which one is slow; float64, sorted, affinities of the reference."""

    slow_ms: float
    affinities: Floats


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: its name. of_people: whether a person counts once a block, else a run once.
        matures: whether it waits for what comes of an answer. own: whether it is only held against the same version's
            first answers, since scores of two versions have different scales.
        at_least: whether less is worse.
    """

    name: Name
    of_people: bool
    matures: bool
    own: bool
    at_least: bool


FIGURES: tuple[Figure, ...] = (
    Figure("attach_rate", of_people=True, matures=True, own=False, at_least=True),
    Figure("click_rate", of_people=True, matures=True, own=False, at_least=True),
    Figure("coverage", of_people=False, matures=False, own=False, at_least=True),
    Figure("affinity", of_people=True, matures=False, own=True, at_least=True),
    Figure("latency", of_people=False, matures=False, own=False, at_least=False),
    Figure("fallback_share", of_people=False, matures=False, own=False, at_least=False),
)


@dataclass(frozen=True)
class Seen:
    """Observations of one figure, in order: its value in [0, 1], when, and whose (-1 where it is of a run)."""

    values: Floats
    at: Floats
    unit: NDArray[np.int64]

    def __len__(self) -> int:
        return self.values.size

    def badness(self, figure: Figure) -> Floats:
        """Return the values such that large ones are bad."""
        return 1 - self.values if figure.at_least else self.values


def observe(figure: Figure, answers: Answers, yardstick: Yardstick, *, block: int, run: int) -> Seen:
    """Return what whole blocks of answers say of a figure; answers after the last whole block say nothing yet."""
    whole = len(answers) // block * block
    if figure.of_people:
        return _of_people(answers.part(0, whole), _PEOPLE[figure.name](answers.part(0, whole), yardstick), block)
    return _of_runs(answers.part(0, whole), _RUNS[figure.name], yardstick, run)


def _of_people(answers: Answers, values: Floats, block: int) -> Seen:
    """Return each person's mean in each block, at the person's first answer in it."""
    number = {unit: index for index, unit in enumerate(sorted(set(answers.units)))}
    units = np.array([number[unit] for unit in answers.units], dtype=np.int64)
    known = np.isfinite(values)
    key = (np.arange(len(answers)) // block * max(1, len(number)) + units)[known]
    each, first, person = np.unique(key, return_index=True, return_inverse=True)
    means = np.bincount(person, values[known]) / np.bincount(person) if each.size else np.empty(0)
    order = np.argsort(first, kind="stable")
    return Seen(means[order], answers.at[known][first][order], units[known][first][order])


def _of_runs(answers: Answers, measure: Callable[[Answers, Yardstick], float], yardstick: Yardstick, run: int) -> Seen:
    starts = range(0, len(answers) - run + 1, run)
    values = np.array([measure(answers.part(start, start + run), yardstick) for start in starts], dtype=np.float64)
    at = answers.at[list(starts)]
    known = np.isfinite(values)
    return Seen(values[known], at[known], np.full(int(known.sum()), -1))


def _affinity(answers: Answers, yardstick: Yardstick) -> Floats:
    """Return the share of the reference's affinities below each answer's; half of those alike; NaN where not ranked."""
    below = np.searchsorted(yardstick.affinities, answers.affinity, "left")
    up_to = np.searchsorted(yardstick.affinities, answers.affinity, "right")
    share = (below + up_to) / 2 / max(1, yardstick.affinities.size)
    return np.where(np.isfinite(answers.affinity), share, np.nan)


def _coverage(answers: Answers, _: Yardstick) -> float:
    """Return how many of the products shown in a run are distinct."""
    shown: list[str] = [product for products in answers.products for product in products]
    return len(set(shown)) / len(shown) if shown else np.nan


_PEOPLE: Mapping[str, Callable[[Answers, Yardstick], Floats]] = {
    "attach_rate": lambda answers, _: answers.attached.astype(np.float64),
    "click_rate": lambda answers, _: answers.clicked.astype(np.float64),
    "affinity": _affinity,
}
_RUNS: Mapping[str, Callable[[Answers, Yardstick], float]] = {
    "coverage": _coverage,
    "latency": lambda answers, yardstick: float((answers.latency_ms > yardstick.slow_ms).mean()),
    "fallback_share": lambda answers, _: float(answers.failed.mean()),
}


def named(names: Sequence[str]) -> list[Figure]:
    """Return the figures of these names."""
    return [figure for figure in FIGURES if figure.name in names]
