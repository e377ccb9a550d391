"""Loads as figures: runs the generator as a process of its own and sums up what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.serving_bench.generator import Outcome
from configs.errors import PartError

WARM_SECONDS = 1.0
OPEN_CONNECTIONS = 16
CLOSED_CONNECTIONS = 8
TURNS = 4
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


@dataclass(frozen=True)
class Offer:
    """What is asked of a port of this machine: raw requests, so many a second, or with rate 0 in a closed loop."""

    port: int
    requests: Sequence[bytes]
    rate: float = 0.0
    connections: int = CLOSED_CONNECTIONS

    def outcome(self, seconds: float) -> Outcome:
        """Return what came of so many seconds of it, out of a generator in a process of its own.

        Raises:
            PartError: the generator broke off, or did not come back.
        """
        order = {"port": self.port, "connections": self.connections, "seconds": seconds, "rate": self.rate}
        told = json.dumps(order | {"requests": [raw.decode("latin-1") for raw in self.requests]})
        command = [sys.executable, "-m", "benchmarks.serving_bench.generator"]
        try:
            patience = seconds + PATIENCE_SECONDS
            done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=patience, check=False)
        except subprocess.TimeoutExpired:
            raise PartError(f"The load on port {self.port} did not end in time: what is loaded hangs.") from None
        if done.returncode:
            raise PartError(f"The load on port {self.port} broke off: {done.stderr.strip()[-500:]}")
        return Outcome(**json.loads(done.stdout))


def steady(port: int, requests: Sequence[bytes], rate: float) -> Offer:
    """Return an offer of so many requests a second, whether answers come or not."""
    return Offer(port, requests, rate, OPEN_CONNECTIONS)


def in_turn(offers: Sequence[Offer], seconds: float) -> list[Load]:
    """Return what came of each offer, all warmed up, then made in turns: what else the machine does meets all alike.

    Args:
        seconds: of each offer, all its turns together.
    """
    for offer in offers:
        replace(offer, rate=0.0).outcome(min(seconds, WARM_SECONDS))  # not counted
    rounds = [[offer.outcome(seconds / TURNS) for offer in offers] for _ in range(TURNS)]
    return [summed_up(joined(turns)) for turns in zip(*rounds, strict=True)]


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return several outcomes as one."""
    statuses: Counter[str] = Counter()
    for outcome in outcomes:
        statuses.update(outcome.statuses)
    return Outcome(
        [taken for outcome in outcomes for taken in outcome.milliseconds],
        [lag for outcome in outcomes for lag in outcome.lag],
        dict(statuses),
        sum(outcome.fallbacks for outcome in outcomes),
        sum(outcome.seconds for outcome in outcomes),
    )


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
