"""Ranks every case with every arm, in worker processes, and keeps what was shown as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.settings import CandidateSettings
from features.context import Context, ProductMatrix
from features.shopper import ShopperState
from training.candidates import GENERATORS, eligible, generate
from training.evaluation.arms import Arm
from training.evaluation.metrics import Floats, Lists
from training.parallel import chunks_of, map_forked
from training.protocol import Case


@dataclass(frozen=True)
class Found:
    """How far candidate generation got.

    Attributes:
        size: int32[cases, 1 + generators], candidates of the union, then of each generator.
        hidden: bool[hidden, 1 + generators], whether they held each hidden product; the order of `Hidden`.
    """

    size: NDArray[np.int32]
    hidden: NDArray[np.bool_]


@dataclass(frozen=True)
class Shown:
    """What came of ranking all cases.

    Attributes:
        lists: by arm, what it showed.
        probability: by arm that tells it, float64[cases, k], NaN where a list is shorter.
        found: the model's candidates.
    """

    lists: dict[str, Lists]
    probability: dict[str, Floats]
    found: Found


@dataclass(frozen=True)
class Work:
    """What ranking needs: arms by name, the product side, candidate limits, the cases and the states before them.

    Attributes:
        depth: length of the lists. k: how many of them get a probability.
    """

    arms: Mapping[str, Arm]
    matrix: ProductMatrix
    limits: CandidateSettings
    cases: Sequence[Case]
    states: Sequence[ShopperState]
    depth: int
    k: int


def rank_all(work: Work, workers: int, tell: Callable[[float], None]) -> Shown:
    """Return what every arm shows for every case, in the cases' order.

    Args:
        work: at least one case. workers: processes; 0 is one per core. tell: told the finished share.
    """
    chunks = chunks_of(len(work.cases))
    parts = []
    for part in map_forked(lambda chunk: _rank_chunk(work, chunk), chunks, workers):
        parts.append(part)
        tell(len(parts) / len(chunks))
    return Shown(
        {name: Lists(np.concatenate([part.lists[name].rows for part in parts])) for name in work.arms},
        {name: np.concatenate([part.probability[name] for part in parts]) for name in parts[0].probability},
        Found(
            np.concatenate([part.found.size for part in parts]),
            np.concatenate([part.found.hidden for part in parts]),
        ),
    )


def generated(context: Context, limits: CandidateSettings) -> dict[str, NDArray[np.int32]]:
    """Return the eligible product rows of each generator by itself, int32, distinct, in any order."""
    found = {}
    for name, make in GENERATORS.items():
        rows = np.unique(make(context, getattr(limits, name)))
        found[name] = rows[eligible(context, rows)]
    return found


def _rank_chunk(work: Work, chunk: range) -> Shown:
    lists = {name: np.full((len(chunk), work.depth), -1, dtype=np.int32) for name in work.arms}
    telling = [name for name, arm in work.arms.items() if arm.probability]
    probability = {name: np.full((len(chunk), work.k), np.nan) for name in telling}
    size, hidden = [], []
    for place, number in enumerate(chunk):
        case = work.cases[number]
        context = Context(work.matrix, work.states[number], case.cart, case.at)
        for name, arm in work.arms.items():
            rows, scores = arm.rank(context, work.depth)
            lists[name][place, : rows.size] = rows
            if arm.probability:
                best = rows[: work.k], scores[: work.k]
                probability[name][place, : best[0].size] = arm.probability(context, best)
        sets = [generate(context, work.limits), *generated(context, work.limits).values()]
        size.append([rows.size for rows in sets])
        hidden.append(np.stack([np.isin(case.hidden, rows) for rows in sets], axis=1))
    found = Found(np.array(size, dtype=np.int32), np.concatenate(hidden))
    return Shown({name: Lists(rows) for name, rows in lists.items()}, probability, found)
