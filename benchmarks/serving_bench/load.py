"""Loads as figures: runs the generator as a process of its own and sums up what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.serving_bench.generator import Outcome
from configs.errors import PartError

WARM_SECONDS = 1.0
OPEN_CONNECTIONS = 16
CLOSED_CONNECTIONS = 8
PATIENCE_SECONDS = 60.0
"""Longest that a generator may take beyond the seconds of its load."""


@dataclass(frozen=True)
class Load:
    """How requests were answered.

    Attributes:
        p50, p95, p99, longest: milliseconds of those that succeeded; open loop: from when each was due.
        per_second: successes a second. asked: requests. failed: no success. fallbacks: successes that name one.
        lag: 99th percentile of the milliseconds by which the generator itself sent late.
    """

    p50: float
    p95: float
    p99: float
    longest: float
    per_second: float
    asked: int
    failed: int
    fallbacks: int
    lag: float


def open_loop(port: int, requests: Sequence[bytes], rate: float, seconds: float) -> Load:
    """Offer so many requests a second, whether answers come or not."""
    return _load(port, requests, rate, seconds, OPEN_CONNECTIONS)


def closed_loop(port: int, requests: Sequence[bytes], seconds: float, connections: int = CLOSED_CONNECTIONS) -> Load:
    """Ask again over each connection as soon as it is answered."""
    return _load(port, requests, 0.0, seconds, connections)


def warm(port: int, requests: Sequence[bytes], seconds: float = WARM_SECONDS) -> None:
    """Ask without counting."""
    _load(port, requests, 0.0, seconds, CLOSED_CONNECTIONS)


def _load(port: int, requests: Sequence[bytes], rate: float, seconds: float, connections: int) -> Load:
    order = {"port": port, "connections": connections, "seconds": seconds, "rate": rate}
    told = json.dumps(order | {"requests": [raw.decode("latin-1") for raw in requests]})
    command = [sys.executable, "-m", "benchmarks.serving_bench.generator"]
    try:
        patience = seconds + PATIENCE_SECONDS
        done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        raise PartError(f"The load on port {port} did not end in time: what is loaded hangs.") from None
    if done.returncode:
        raise PartError(f"The load on port {port} broke off: {done.stderr.strip()[-500:]}")
    return summed_up(Outcome(**json.loads(done.stdout)))


def summed_up(outcome: Outcome) -> Load:
    """Return the figures of what came of a load.

    Raises:
        PartError: nothing was answered with success.
    """
    taken, asked = np.array(outcome.milliseconds), sum(outcome.statuses.values())
    if not taken.size:
        raise PartError(f"Not one request succeeded; answers by status (0: none): {outcome.statuses}.")
    p50, p95, p99 = (float(found) for found in np.percentile(taken, [50, 95, 99]))
    return Load(
        p50,
        p95,
        p99,
        longest=float(taken.max()),
        per_second=taken.size / outcome.seconds,
        asked=asked,
        failed=asked - taken.size,
        fallbacks=outcome.fallbacks,
        lag=float(np.percentile(outcome.lag, 99)),
    )
