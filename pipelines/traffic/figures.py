"""From visits to figures: counters, and the rates of each model version and arm with intervals. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from pipelines.replay.score import percentiles
from pipelines.traffic.shopper import Visited


def figures_of(visits: Sequence[Visited], seconds: float) -> dict[str, Any]:
    """Return what came of simulated visits, JSON-serialisable.

    Args:
        visits: at least one. seconds: that all of them took.
    """
    groups: dict[tuple[str, str | None], list[Visited]] = defaultdict(list)
    for visit in visits:
        if visit.answered:
            groups[visit.version, visit.arm].append(visit)
    return {
        "simulated": True,
        "sessions": len(visits),
        "seconds": round(seconds, 1),
        "sessions_per_minute": round(len(visits) / max(seconds, 1e-9) * 60),
        "requests": sum(visit.requests for visit in visits),
        "errors": dict(Counter(error for visit in visits for error in visit.errors)),
        "unanswered": sum(not visit.answered for visit in visits),
        "groups": [
            {"model_version": version, "arm": arm} | rates_of(group)
            for (version, arm), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        ],
    }


def rates_of(visits: Sequence[Visited]) -> dict[str, Any]:
    """Return the rates of answered visits, at least one; each visitor is a person of their own, so visits count alone.

    `attach_rate`: visitors who added something shown, with its exact 95 % interval (Clopper and Pearson 1934,
    Biometrika); `click_rate`: clicks a product shown; `hit_rate`: visitors who were shown something that the real
    shopper bought; `degraded`: share of answers that were less than they could be.
    """
    attached = sum(visit.adds > 0 for visit in visits)
    between = binomtest(attached, len(visits)).proportion_ci(0.95)
    shown = sum(visit.shown for visit in visits)
    return {
        "sessions": len(visits),
        "attach_rate": round(attached / len(visits), 4),
        "attach_ci95": [round(float(between.low), 4), round(float(between.high), 4)],
        "click_rate": round(sum(visit.clicks for visit in visits) / max(shown, 1), 4),
        "adds": sum(visit.adds for visit in visits),
        "hit_rate": round(float(np.mean([visit.hits > 0 for visit in visits])), 4),
        "degraded": round(float(np.mean([visit.degraded for visit in visits])), 4),
        "latency_ms": percentiles([visit.latency_ms for visit in visits]),
    }
