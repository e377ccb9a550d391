"""Which groups fall short of a limit, when chance is no good explanation.

Every group that is large enough is tested for each measure that has a limit: is its value below the allowed share of
the reference? One-sided, by a normal approximation with the standard error of resampled shoppers, adjusted over all
tests together (Holm 1979): a model that just keeps every limit fails with probability `alpha` at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from configs.settings import AuditSettings
from training.evaluation.audit.groups import UNSOLD, Grouping
from training.evaluation.audit.measures import EXPOSURE, Measure
from training.evaluation.metrics import Floats
from training.evaluation.significance import holm

NAMES = {"hit_rate": "hit rate", "ndcg": "NDCG", EXPOSURE: "exposure"}


@dataclass(frozen=True)
class Judgement:
    """One group's measure against its limit.

    Attributes:
        grouping, label, measure: of what. ratio: value over reference. limit: the least that is allowed.
        p: probability of a value as low if the group just kept the limit; adjusted once `judged` has seen all.
        short: whether it is below the limit, and not by chance; told by `judged`.
    """

    grouping: str
    label: str
    measure: str
    ratio: float
    limit: float
    p: float
    short: bool = False


def limit_of(policy: AuditSettings, grouping: Grouping, label: str, measure: str) -> float | None:
    """Return the least ratio that a group may have; None if it is told only."""
    if label == UNSOLD and grouping.of == "products":
        return policy.min_unsold_exposure_ratio if measure == EXPOSURE else None
    limits = policy.shoppers if grouping.of == "shoppers" else policy.products
    return limits.min_exposure_ratio if measure == EXPOSURE else 1.0 - limits.max_quality_gap


def judgements_of(
    policy: AuditSettings, grouping: Grouping, measure: Measure, shoppers: Sequence[int]
) -> list[Judgement]:
    """Return the tests of one measure; p is not adjusted yet.

    Args:
        policy: limits. grouping: of the groups. measure: of them. shoppers: how many each group has cases of.
    """
    found = []
    for row, label in enumerate(grouping.labels):
        limit, value, reference = limit_of(policy, grouping, label, measure.name), *_at(measure, row)
        if limit is None or shoppers[row] < policy.min_shoppers or not reference > 0 or math.isnan(value):
            continue
        p = _below(value - limit * reference, measure.error(limit, row))
        found.append(Judgement(grouping.name, label, measure.name, value / reference, limit, p))
    return found


def judged(tests: Sequence[Judgement], alpha: float) -> list[Judgement]:
    """Return the tests with p adjusted over all of them, and who falls short."""
    adjusted = holm(np.array([test.p for test in tests])) if tests else np.empty(0)
    return [
        replace(test, p=float(p), short=bool(p <= alpha and test.ratio < test.limit))
        for test, p in zip(tests, adjusted, strict=True)
    ]


def finding(judgement: Judgement, of: str) -> str:
    """Return in a sentence what is wrong with a group that fell short."""
    if of == "products" and judgement.measure == EXPOSURE:
        what = f"get {judgement.ratio:.2f} of the places that their share of what is taken would give them"
    elif judgement.measure == EXPOSURE:
        what = f"get {judgement.ratio:.2f} of the filled places that everybody gets"
    elif of == "products":
        what = f"are found with {judgement.ratio:.2f} of the {NAMES[judgement.measure]} of all products"
    else:
        what = f"get {judgement.ratio:.2f} of everybody's {NAMES[judgement.measure]}"
    who, demanded = f"{of} with {judgement.grouping} {judgement.label!r}", f"at least {judgement.limit:.2f} is demanded"
    p = "p < 0.0001" if judgement.p < 0.0001 else f"p = {judgement.p:.4f}"
    return f"{who} {what}; {demanded} ({p})"


def _at(measure: Measure, row: int) -> tuple[float, float]:
    return float(measure.value[row]), float(measure.reference[row])


def _below(distance: float, error: float) -> float:
    """Return the probability that chance alone puts a value as far below its limit."""
    if error > 0:
        return 0.5 * math.erfc(-distance / error / math.sqrt(2.0))
    return 0.0 if distance < 0 else 1.0


def interval(drawn: Floats) -> tuple[float, float]:
    """Return the 95 % percentile interval of float64[samples], those that are NaN left out; NaN without any."""
    known = drawn[~np.isnan(drawn)]
    if not known.size:
        return math.nan, math.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
