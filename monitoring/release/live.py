"""Judging a step in which some people are answered by the candidate. Pure functions on what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.releasing import ReleaseStep
from configs.settings import GuardrailSettings, MonitoringSettings, ReleaseSettings
from monitoring.experiments.comparison import ArmFigures, Comparison, Plan, Shown, compare
from monitoring.experiments.effects import Effect
from monitoring.experiments.guardrails import LEAST_ANSWERS, of_margin
from monitoring.experiments.observed import Observed
from monitoring.release.checks import (
    GUARDRAILS,
    Check,
    Judged,
    against,
    alpha_of_a_test,
    by_rail,
    mean,
    no_more,
    no_worse,
    too_few,
    waits_for,
    worst,
)
from training.releasing import CANDIDATE, CONTROL

GRACE_SECONDS = 60.0
"""By then a worker has loaded the candidate or refused it."""
DIVERSITY = ("distinct_products", "category_entropy")


@dataclass(frozen=True)
class Seen:
    """What a step has shown so far.

    Attributes:
        observed, shown: of answers by the model that the arm means. answered: arm → package → answers, all of them.
        seconds: how long the step has lasted, by the wall clock.
    """

    observed: Observed
    shown: Shown
    answered: Mapping[str, Mapping[str, int]]
    seconds: float


def judge_live(
    seen: Seen, step: ReleaseStep, package: str, release: ReleaseSettings, basis: MonitoringSettings
) -> Judged:
    """Return what follows from what a step has shown.

    Args:
        seen: so far. step: which. package: the candidate's. release, basis: limits, and how few people tell nothing.
    """
    limits = _limits(release, basis)
    plan = Plan(CONTROL, {CONTROL: 1 - step.share, CANDIDATE: step.share})
    found = compare(seen.observed, seen.shown, plan, limits)
    people = {arm: figures.people for arm, figures in found.arms.items()}
    answers = {arm: figures.requests for arm, figures in found.arms.items()}
    enough = min(people.values()) >= step.least_people
    checks = tuple(_checks(seen.observed, found, step, release, limits, enough=enough))
    unserved = _unserved(seen, package, release.unserved_share)
    bad = "; ".join(reason for reason in (unserved, worst(checks)) if reason)
    if bad:
        return Judged(people, answers, checks, "stop", bad)
    waits = _too_early(people, step, seen.seconds) or waits_for(checks)
    if waits is None and found.split_p < basis.mismatch_p:
        waits = f"people did not split as planned (p = {found.split_p:.2g}): the assignment or its record is broken"
    if waits is not None:
        return Judged(people, answers, checks, "wait", waits)
    says = "; ".join(check.says for check in checks if check.name in release.metrics)
    return Judged(people, answers, checks, "advance", f"not worse by {step.margin:.0%} or more: {says}")


def _limits(release: ReleaseSettings, basis: MonitoringSettings) -> MonitoringSettings:
    """Return what experiments are compared by, with a release's limits."""
    rails = GuardrailSettings(
        latency_p99_ms=release.guardrails.latency_ms,
        fallback_share=release.guardrails.fallback_share,
        margin_drop=release.guardrails.margin_drop,
        diversity_drop=release.guardrails.diversity_drop,
    )
    return basis.model_copy(update={"guardrails": rails})


def _checks(
    seen: Observed,
    found: Comparison,
    step: ReleaseStep,
    release: ReleaseSettings,
    limits: MonitoringSettings,
    *,
    enough: bool,
) -> list[Check]:
    arm, control = found.arms[CANDIDATE], found.arms[CONTROL]
    names = dict.fromkeys((*release.metrics, *GUARDRAILS))
    if min(arm.people, control.people) < limits.least_people:
        return too_few([*names])
    # The intervals are tightest where the step may end at the earliest.
    tightest_at = max(step.least_people / min(step.share, 1 - step.share), 2 * limits.least_people)
    test = {"alpha": alpha_of_a_test(release), "tightest_at": tightest_at}
    changes = {name: against(arm.metrics[name], control.metrics[name], **test) for name in arm.metrics}
    figures = [
        no_worse(name, arm.metrics[name], control.metrics[name], step.margin, changes[name]) for name in release.metrics
    ]
    rails = release.guardrails
    slow = _of_answers(seen, "slow_share", seen.latency_ms > rails.latency_ms, rails.slow_share, test)
    fallback = _of_answers(seen, "fallback_share", seen.fallback, rails.fallback_share, test)
    return [*figures, slow, fallback, _margin(changes["margin_per_request"], limits), *_diversity(arm, enough)]


def _of_answers(seen: Observed, name: str, flags: NDArray[np.bool_], limit: float, test: Mapping[str, float]) -> Check:
    shares = []
    for arm in (CANDIDATE, CONTROL):
        mine = (seen.arm == seen.arms.index(arm)) & seen.faithful
        shares.append(mean(seen.unit[mine], flags[mine]))
    return no_more(name, shares[0], shares[1], limit, against(shares[0], shares[1], **test))


def _margin(change: Effect, limits: MonitoringSettings) -> Check:
    rail = of_margin(change, limits.guardrails)
    low, high = change.always
    if not np.isfinite(rail.figure):  # the control earned nothing that could be lost
        return Check("margin_per_request", np.nan, low, high, rail.limit, "silent", "the control earned no margin")
    verdict = by_rail("margin_per_request", rail)
    return Check("margin_per_request", rail.figure, low, high, rail.limit, verdict.verdict, verdict.says)


def _diversity(arm: ArmFigures, enough: bool) -> list[Check]:
    if not enough:
        return []
    return [by_rail(name, arm.guardrails[name]) for name in DIVERSITY if name in arm.guardrails]


def _unserved(seen: Seen, package: str, limit: float) -> str | None:
    """Return why the candidate cannot be judged: other models answered for it."""
    mine = seen.answered.get(CANDIDATE, {})
    answers = sum(mine.values())
    others = answers - mine.get(package, 0)
    if seen.seconds < GRACE_SECONDS or answers < LEAST_ANSWERS or others <= limit * answers:
        return None
    return (
        f"{others:,} of the candidate's {answers:,} answers came from another model: workers do not hold the "
        "candidate, see the service's log for why"
    )


def _too_early(people: Mapping[str, int], step: ReleaseStep, seconds: float) -> str | None:
    if min(people.values()) < step.least_people:
        seen = ", ".join(f"{arm} {count:,}" for arm, count in people.items())
        return f"{step.least_people:,} people in each arm are needed: {seen}"
    if seconds < step.least_hours * 3600:
        return f"the step lasts at least {step.least_hours:g} hours, so far {seconds / 3600:.1f}"
    return None
