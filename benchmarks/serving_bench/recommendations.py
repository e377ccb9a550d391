"""Recommendations under load, next to an empty handler of the same process and a Redis round trip of the same keys."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import redis

from benchmarks.serving_bench.cases import PATH, requests_of
from benchmarks.serving_bench.load import Load, Offer, in_turn, steady
from benchmarks.wire import request
from events.session import session_key
from features.online import ShopperReader
from pipelines.parts.own import Service
from pipelines.replay.plan import PlannedSession

RATE = 100.0
"""Requests a second of the open loop: what the target is told for."""

EMPTY_HANDLER = f"OPTIONS {PATH}"
"""Answered by Litestar's own handler, which does nothing: the same server, process and application around it."""

ROUND_TRIPS = 2_000


@dataclass(frozen=True)
class RoundTrip:
    """Milliseconds of one pipeline that reads a session's record and a shopper's features."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Recommendations:
    """Loads of recommendations and of the floor; the open ones at `RATE` requests a second."""

    offered: Load
    most: Load
    floor_offered: Load
    floor_most: Load
    redis: RoundTrip


def measure(service: Service, plans: Sequence[PlannedSession], seconds: float) -> Recommendations:
    """Return the figures of a running service for sessions that its Redis knows."""
    asked, empty = requests_of(plans), [request("OPTIONS", PATH)]
    port = service.port
    floor_offered, offered = in_turn([steady(port, empty, RATE), steady(port, asked, RATE)], seconds)
    floor_most, most = in_turn([Offer(port, empty), Offer(port, asked)], seconds)
    return Recommendations(offered, most, floor_offered, floor_most, _round_trips(service.settings.redis_url, plans))


def _round_trips(url: str, plans: Sequence[PlannedSession]) -> RoundTrip:
    reader, taken = ShopperReader(), []
    with redis.Redis.from_url(url) as opened:
        client: Any = opened  # redis-py's types admit no bytes as keys, which Feast's are
        for number in range(ROUND_TRIPS):
            session = plans[number % len(plans)]
            started = time.perf_counter()
            with client.pipeline(transaction=False) as pipe:
                pipe.get(session_key(session.session_id))
                pipe.execute_command("HMGET", reader.key(session.shopper_id), *reader.fields)
                pipe.execute()
            taken.append(1e3 * (time.perf_counter() - started))
    p50, p99 = (float(found) for found in np.percentile(taken, [50, 99]))
    return RoundTrip(p50, p99)
