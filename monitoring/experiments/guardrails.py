"""What an arm may not do whatever else it improves: be slow, fall back, cost margin, show the same things to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from configs.settings import GuardrailSettings
from monitoring.experiments.diversity import Counts, distinct_share, entropy_bits
from monitoring.experiments.effects import Effect

LEAST_ANSWERS = 100
"""With fewer answers there is no 99th percentile to speak of."""

Verdict = Literal["ok", "broken", "too few"]


@dataclass(frozen=True)
class Guardrail:
    """A figure, the limit that it is held against, and what follows.

    Attributes:
        figure: what was measured; NaN where it could not be. limit: the most, or the least if `at_least`.
    """

    figure: float
    limit: float
    verdict: Verdict
    at_least: bool = False


def of_answers(
    latency_ms: NDArray[np.float64], fallback: NDArray[np.bool_], limits: GuardrailSettings
) -> dict[str, Guardrail]:
    """Return the guardrails that every arm has by itself: latency and degraded answers."""
    p99 = float(np.percentile(latency_ms, 99)) if latency_ms.size else np.nan
    share = float(fallback.mean()) if fallback.size else np.nan
    enough = latency_ms.size >= LEAST_ANSWERS
    return {
        "latency_p99_ms": _at_most(p99, limits.latency_p99_ms, enough),
        "fallback_share": _at_most(share, limits.fallback_share, enough),
    }


def of_margin(change: Effect | None, limits: GuardrailSettings) -> Guardrail:
    """Return whether an arm surely earns less a request than the control, and by more than is tolerated.

    Sure is what the always-valid interval says, so that looking often breaks no guardrail. `change` is None where too
    few people took part.
    """
    if change is None:
        return Guardrail(np.nan, -limits.margin_drop, "too few", at_least=True)
    broken = change.always[1] < 0 and change.relative < -limits.margin_drop
    return Guardrail(change.relative, -limits.margin_drop, "broken" if broken else "ok", at_least=True)


def of_diversity(
    arm: Counts, control: Counts, category: NDArray[np.int32] | None, limits: GuardrailSettings
) -> dict[str, Guardrail]:
    """Return how much less varied than the control's answers an arm's are.

    Args:
        arm, control: int64[products], how often each product was shown.
        category: int32[products], -1 unknown; None if no catalogue is at hand, and the spread is not told.
    """
    drawn = int(min(arm.sum(), control.sum()))
    if drawn < LEAST_ANSWERS:
        return {"distinct_products": Guardrail(np.nan, -limits.diversity_drop, "too few", at_least=True)}
    shares = (distinct_share(arm, drawn), distinct_share(control, drawn))
    found = {"distinct_products": _change(*shares, limits.diversity_drop)}
    if category is not None and (category >= 0).any():
        spread = [entropy_bits(np.bincount(category[category >= 0], times[category >= 0])) for times in (arm, control)]
        found["category_entropy"] = _change(spread[0], spread[1], limits.diversity_drop)
    return found


def _at_most(figure: float, limit: float, enough: bool) -> Guardrail:
    return Guardrail(figure, limit, "too few" if not enough else "broken" if figure > limit else "ok")


def _change(arm: float, control: float, drop: float) -> Guardrail:
    change = arm / control - 1 if control > 0 else np.nan
    return Guardrail(change, -drop, "broken" if change < -drop else "ok", at_least=True)
