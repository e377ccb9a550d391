"""Judging a step in which the candidate is scored and shown to nobody: by its lists, not by what people do.

Pure functions on what was observed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.releasing import ReleaseStep
from configs.settings import GuardrailSettings, MonitoringSettings, ReleaseSettings
from monitoring.experiments.diversity import Counts
from monitoring.experiments.effects import Ratio
from monitoring.experiments.guardrails import of_diversity
from monitoring.release.checks import (
    Check,
    Judged,
    Verdict,
    against,
    alpha_of_a_test,
    by_rail,
    mean,
    no_more,
    too_few,
    waits_for,
    worst,
)
from monitoring.sequential import always_valid
from training.releasing import CANDIDATE, CONTROL

LEAST_SCORED = 0.5
"""With fewer lists than that share of answers, workers are too busy for a shadow, and those told are no fair sample."""


@dataclass(frozen=True)
class Lists:
    """The newest answers of a step, and the shadow's lists: one entry an answer.

    Attributes:
        unit: int32, the person, numbered from 0. latency_ms: of the answer.
        tried: whether the shadow was scored. failed: and had no list. shadow_ms: what it took; NaN if it was not tried.
        agreement: share of its products that were shown as well; NaN without a list, or where nothing was shown.
        shown, listed: int64[products], how often each was shown, and would have been.
        category: int32[products], -1 unknown; None if no catalogue is at hand.
        seconds: how long the step has lasted, by the wall clock.
    """

    unit: NDArray[np.int32]
    latency_ms: NDArray[np.float64]
    tried: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    shadow_ms: NDArray[np.float64]
    agreement: NDArray[np.float64]
    shown: Counts
    listed: Counts
    category: NDArray[np.int32] | None
    seconds: float


def judge_shadow(seen: Lists, step: ReleaseStep, release: ReleaseSettings, basis: MonitoringSettings) -> Judged:
    """Return what follows from the lists of a shadow so far; see `live.judge_live`."""
    everybody, scored = np.unique(seen.unit).size, np.unique(seen.unit[seen.tried]).size
    people = {CONTROL: int(everybody), CANDIDATE: int(scored)}
    answers = {CONTROL: seen.unit.size, CANDIDATE: int(seen.tried.sum())}
    enough = scored >= step.least_people
    if scored < basis.least_people:
        checks = tuple(too_few(("failed_share", "slow_share", "agreement")))
    else:
        checks = tuple(_checks(seen, step, release, enough=enough))
    bad = worst(checks)
    if bad is not None:
        return Judged(people, answers, checks, "stop", bad)
    waits = _too_early(seen, scored, step) or waits_for(checks)
    if waits is not None:
        return Judged(people, answers, checks, "wait", waits)
    return Judged(people, answers, checks, "advance", "; ".join(check.says for check in checks))


def _checks(seen: Lists, step: ReleaseStep, release: ReleaseSettings, *, enough: bool) -> list[Check]:
    alpha, tightest_at = alpha_of_a_test(release), float(step.least_people)
    unit, tried = seen.unit[seen.tried], seen.tried
    failed, none = mean(unit, seen.failed[tried]), Ratio(0.0, 0.0, 0)
    limit = release.shadow.failed_share
    test = {"alpha": alpha, "tightest_at": tightest_at}
    checks = [no_more("failed_share", failed, none, limit, against(failed, none, **test))]
    slow = mean(unit, seen.shadow_ms[tried] > release.guardrails.latency_ms)
    answered = mean(seen.unit, seen.latency_ms > release.guardrails.latency_ms)
    checks.append(no_more("slow_share", slow, answered, release.guardrails.slow_share, against(slow, answered, **test)))
    checks.append(_agreement(seen, release.shadow.least_agreement, alpha, tightest_at))
    if enough:
        drop = release.guardrails.diversity_drop
        rails = GuardrailSettings(latency_p99_ms=1.0, fallback_share=0.0, margin_drop=0.0, diversity_drop=drop)
        checks += [
            by_rail(name, rail) for name, rail in of_diversity(seen.listed, seen.shown, seen.category, rails).items()
        ]
    return checks


def _agreement(seen: Lists, least: float, alpha: float, tightest_at: float) -> Check:
    told = np.isfinite(seen.agreement)
    if np.unique(seen.unit[told]).size < 2:
        return too_few(("agreement",))[0]
    found = mean(seen.unit[told], seen.agreement[told])
    sure = always_valid(found.value - least, found.variance, found.people, alpha=alpha, tightest_at=tightest_at)
    low, high = float(sure.low) + least, float(sure.high) + least
    says = f"agreement {found.value:.0%} [{low:.0%}, {high:.0%}], at least {least:.0%}"
    verdict: Verdict = "worse" if high < least else "fine" if found.value >= least else "open"
    return Check("agreement", found.value, low, high, least, verdict, says)


def _too_early(seen: Lists, scored: int, step: ReleaseStep) -> str | None:
    if scored < step.least_people:
        return f"lists for {step.least_people:,} people are needed: {scored:,} so far"
    if seen.tried.mean() < LEAST_SCORED:
        return f"only {seen.tried.mean():.0%} of the answers have a list beside them: workers are too busy"
    if seen.seconds < step.least_hours * 3600:
        return f"the step lasts at least {step.least_hours:g} hours, so far {seen.seconds / 3600:.1f}"
    return None
