"""What a package costs to serve: ranking time and memory, measured in processes of their own.

Memory is that of a process that holds one package and nothing of the gate. Ranking times of two packages are taken in
one process, request by request in turn, so that whatever else the machine does meets both alike. They are processor
time: a busy machine makes a request wait, and that says nothing of the package. What waiting does, the trial tells.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import psutil

from configs.errors import StageError
from configs.gating import GateSettings
from features.shopper import ShopperState
from training.evaluation.metrics import Floats
from training.gate.verdict import Check
from training.package import ModelPackage
from training.parallel import single_thread
from training.recommender import Recommender

Request = tuple[tuple[str, ...], ShopperState, float]
"""Cart in product ids, shopper, unix seconds."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

MIB = 2**20
WARM = 50
"""Requests after which a process holds what ranking needs: buffers, pages of the package's files."""

MODEL = "model"


@dataclass(frozen=True)
class Cost:
    """What ranking with a package costs.

    Attributes:
        p50_ms, p99_ms: processor time of ranking one request, in one thread.
    """

    p50_ms: float
    p99_ms: float


def costs_of(folders: Sequence[Path], requests: Sequence[Request], k: int, repeats: int) -> list[Cost]:
    """Return what ranking with each package costs, timed side by side in a fresh process.

    Args:
        folders: of whole packages. requests: at least one; each is asked `repeats` times of each, its fastest answer
            counts. k: items asked for.

    Raises:
        StageError: the measuring process was ended from outside.
    """
    times = _alone(ranking_ms, folders, requests, k, repeats)
    p50, p99 = np.percentile(times, [50, 99], axis=1)
    return [Cost(round(middle, 3), round(slow, 3)) for middle, slow in zip(p50.tolist(), p99.tolist(), strict=True)]


def memory_of(folder: Path, requests: Sequence[Request], k: int) -> float:
    """Return MiB that a fresh process has resident after it loaded a package and ranked some of the requests.

    Raises:
        StageError: the measuring process was ended from outside.
    """
    return round(_alone(memory_mb, folder, requests[:WARM], k), 1)


def recorded_requests(package: ModelPackage) -> list[Request]:
    """Return the requests that a package brings along, where there are no baskets to ask about."""
    return [(item.cart, item.shopper, item.at) for item in package.golden if item.arm == MODEL]


def ranking_ms(folders: Sequence[Path], requests: Sequence[Request], k: int, repeats: int) -> Floats:
    """Return float64[packages, requests], milliseconds of processor time that ranking takes here; see `costs_of`."""
    single_thread()
    recommenders = [Recommender(ModelPackage.load(folder)) for folder in folders]
    took = np.full((len(folders), len(requests), repeats + 1), np.inf)
    for again in range(repeats + 1):  # the first round warms up
        for number, request in enumerate(requests):
            for row, recommender in enumerate(recommenders):
                took[row, number, again] = _rank_ms(recommender, request, k)
    fastest: Floats = took[:, :, 1:].min(axis=2)
    return fastest


def memory_mb(folder: Path, requests: Sequence[Request], k: int) -> float:
    """Return MiB that this process has resident after it loaded a package and ranked each request."""
    single_thread()
    recommender = Recommender(ModelPackage.load(folder))
    for request in requests:
        _rank_ms(recommender, request, k)
    return float(psutil.Process().memory_info().rss) / MIB


def size_mb(folder: Path) -> float:
    """Return MiB of a package's files."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MIB, 1)


def in_time(cost: Cost, champion: Cost | None, gate: GateSettings) -> Check:
    """Check that ranking stays within its time budget."""
    passed = cost.p99_ms <= gate.rank_p99_ms
    figures = {"p50_ms": cost.p50_ms, "p99_ms": cost.p99_ms}
    says = (
        f"ranking a request takes {cost.p99_ms:.2f} ms of processor time at the 99th percentile, "
        f"{'within' if passed else 'above'} the budget of {gate.rank_p99_ms:g} ms"
    )
    if champion is not None:
        figures |= {"champion_p50_ms": champion.p50_ms, "champion_p99_ms": champion.p99_ms}
        says += f"; with the champion it takes {champion.p99_ms:.2f} ms"
    return Check("latency", passed, f"p99 {cost.p99_ms:.2f} ms", f"≤ {gate.rank_p99_ms:g} ms", says, figures)


def in_memory(held_mb: float, files_mb: float, gate: GateSettings) -> Check:
    """Check that loading and ranking stay within their memory budget.

    Args:
        held_mb: resident memory of a process that does it. files_mb: size of the package's files. Both in MiB.
    """
    passed = held_mb <= gate.memory_mb
    says = (
        f"a process that ranks with it holds {held_mb:.0f} MiB, {'within' if passed else 'above'} the budget of "
        f"{gate.memory_mb:g} MiB; its files are {files_mb:.0f} MiB"
    )
    figures = {"memory_mb": held_mb, "size_mb": files_mb}
    return Check("memory", passed, f"{held_mb:.0f} MiB", f"≤ {gate.memory_mb:g} MiB", says, figures)


def _rank_ms(recommender: Recommender, request: Request, k: int) -> float:
    started = time.process_time()
    recommender.rank(recommender.context(*request), k)
    return (time.process_time() - started) * 1_000


def _alone(measure: Callable[Arguments, Result], *arguments: Arguments.args, **keywords: Arguments.kwargs) -> Result:
    """Return what a function measures in a fresh process that ends with it."""
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(measure, *arguments, **keywords).result()
    except BrokenProcessPool:
        raise StageError(
            "The process that measures a package was ended from outside, which is how a system out of memory ends "
            "processes: close other programs, or use a machine with more memory."
        ) from None
