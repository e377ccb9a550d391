"""The process that measures packages: `python -m training.gate.measuring`, started by `training.gate.cost`.

Comes in: {"folders", "requests", "k", "repeats"} as JSON on standard input; `requests` is a file of golden requests.
Goes out: {"memory_mb", "ms"} as JSON on standard output: MiB with the first package alone, float[packages][requests] of
milliseconds of processor time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

from configs.processes import die_with_parent
from training.evaluation.metrics import Floats
from training.golden import Golden, load_golden
from training.package import ModelPackage
from training.parallel import single_thread
from training.recommender import Recommender

MIB = 2**20
WARM = 50
"""Requests after which a process holds what ranking needs: buffers, pages of the package's files."""


def memory_mb(recommender: Recommender, requests: Sequence[Golden], k: int) -> float:
    """Return MiB that this process has resident after it ranked each request."""
    for request in requests:
        _rank(recommender, request, k)
    return float(psutil.Process().memory_info().rss) / MIB


def ranking_ms(recommenders: Sequence[Recommender], requests: Sequence[Golden], k: int, repeats: int) -> Floats:
    """Return float64[packages, requests], milliseconds of processor time that ranking takes here; see `cost_of`."""
    took = np.full((len(recommenders), len(requests), repeats + 1), np.inf)
    for again in range(repeats + 1):  # the first round warms up
        for number, request in enumerate(requests):
            for row, recommender in enumerate(recommenders):
                started = time.process_time()
                _rank(recommender, request, k)
                took[row, number, again] = (time.process_time() - started) * 1_000
    fastest: Floats = took[:, :, 1:].min(axis=2)
    return fastest


def _rank(recommender: Recommender, request: Golden, k: int) -> None:
    recommender.rank(recommender.context(request.cart, request.shopper, request.at), k)


def main() -> None:
    """Measure what standard input asks for."""
    die_with_parent()
    single_thread()
    asked = json.load(sys.stdin)
    requests, k = load_golden(Path(asked["requests"])), asked["k"]
    first, *others = asked["folders"]
    recommender = Recommender(ModelPackage.load(Path(first)))
    held = memory_mb(recommender, requests[:WARM], k)  # before another package is in memory
    recommenders = [recommender, *(Recommender(ModelPackage.load(Path(folder))) for folder in others)]
    took = ranking_ms(recommenders, requests, k, asked["repeats"])
    print(json.dumps({"memory_mb": held, "ms": took.tolist()}))


if __name__ == "__main__":
    main()
