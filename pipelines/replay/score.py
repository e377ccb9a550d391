"""From played sessions to figures: hits, recall, intervals over shoppers, latency. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.evaluation.significance import mean_with_interval


@dataclass
class PlayedSession:
    """What came of one session.

    Attributes:
        shopper_id: who. hidden: what was to be found.
        answers: recommended product ids by arm; an arm that failed is missing and counts as a miss.
        latencies_ms: of the recommendation calls that were answered.
        requests, errors: HTTP calls made; calls that failed or were not answered with 200.
        fallbacks: answers that the service gave by another arm than was asked for.
        applied_ms: from sending the last event until its state could be read; None: not within the time allowed.
        cart_complete: whether the session's state held the whole visible cart then.
        model_versions: versions that answered.
    """

    shopper_id: str
    hidden: frozenset[str]
    answers: dict[str, list[str]] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    applied_ms: float | None = None
    cart_complete: bool = False
    model_versions: set[str] = field(default_factory=set)

    def hit(self, arm: str) -> bool:
        """Return whether the arm recommended at least one hidden product."""
        return not self.hidden.isdisjoint(self.answers.get(arm, ()))

    def recall(self, arm: str) -> float:
        """Return the share of hidden products that the arm recommended."""
        return len(self.hidden.intersection(self.answers.get(arm, ()))) / len(self.hidden)


def score(sessions: Sequence[PlayedSession], arms: Sequence[str], samples: int, seed: int) -> dict[str, Any]:
    """Return the figures of a replay, JSON-serialisable.

    Args:
        sessions: at least one. arms: in the order of the table. samples, seed: of the bootstrap.
    """
    latencies = [latency for session in sessions for latency in session.latencies_ms]
    applied = [session.applied_ms for session in sessions if session.applied_ms is not None]
    return {
        "arms": {arm: arm_figures(sessions, arm, samples, seed) for arm in arms},
        "latency_ms": percentiles(latencies),
        "requests": sum(session.requests for session in sessions),
        "errors": sum(session.errors for session in sessions),
        "fallbacks": sum(session.fallbacks for session in sessions),
        "events_visible_ms": percentiles(applied),
        "sessions_with_complete_cart": sum(session.cart_complete for session in sessions),
        "model_versions": sorted(set().union(*(session.model_versions for session in sessions))),
    }


def arm_figures(sessions: Sequence[PlayedSession], arm: str, samples: int, seed: int) -> dict[str, Any]:
    """Return sessions, hit rate and recall of one arm, each with its 95 % interval over shoppers."""
    _, rows = np.unique([session.shopper_id for session in sessions], return_inverse=True)
    shoppers = rows.astype(np.int32)
    hits = np.array([session.hit(arm) for session in sessions], dtype=np.float64)
    recalls = np.array([session.recall(arm) for session in sessions])
    hit_rate = mean_with_interval(hits, shoppers, samples, seed)
    recall = mean_with_interval(recalls, shoppers, samples, seed)
    return {
        "sessions": len(sessions),
        "hit_rate": round(hit_rate.value, 4),
        "ci95": [round(hit_rate.low, 4), round(hit_rate.high, 4)],
        "recall": round(recall.value, 4),
        "recall_ci95": [round(recall.low, 4), round(recall.high, 4)],
    }


def percentiles(milliseconds: Sequence[float]) -> dict[str, float | None]:
    """Return the 50th, 95th and 99th percentile; None each when nothing was measured."""
    if not milliseconds:
        return {"p50": None, "p95": None, "p99": None}
    values = np.percentile(np.asarray(milliseconds), [50, 95, 99])
    return {name: round(float(value), 2) for name, value in zip(("p50", "p95", "p99"), values, strict=True)}


def stands_above(figures: Mapping[str, Any], arm: str, other: str) -> bool:
    """Return whether an arm's interval of the hit rate lies wholly above another's."""
    return bool(figures["arms"][arm]["ci95"][0] > figures["arms"][other]["ci95"][1])
