"""Every arm's figures, and each arm against the control. Pure functions on what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.settings import GuardrailSettings, MonitoringSettings
from monitoring.experiments.effects import Effect, Ratio, effect, per_person, ratio, split_p
from monitoring.experiments.guardrails import Guardrail, of_answers, of_diversity, of_margin
from monitoring.experiments.observed import Observed

METRICS = ("attach_rate", "people_attaching", "click_rate", "value_per_request", "margin_per_request")
"""Share of requests, and of people, with an added or ordered product of what was shown; share of requests with a click;
money of what was ordered of it, and the shop's margin on that, a request."""


@dataclass(frozen=True)
class ArmFigures:
    """One arm: people and requests that count, metrics, effects against the control (None for it, or if too few)."""

    people: int
    requests: int
    metrics: dict[str, Ratio]
    effects: dict[str, Effect | None]
    guardrails: dict[str, Guardrail]


@dataclass(frozen=True)
class Comparison:
    """All arms, the control first.

    Attributes:
        expected: planned share of people by arm. split_p: how likely as uneven a split is.
        alpha: of each arm, shared out among those that are compared.
    """

    control: str
    arms: dict[str, ArmFigures]
    expected: dict[str, float]
    split_p: float
    alpha: float


@dataclass(frozen=True)
class Plan:
    """What was planned: the arm that the others are compared with, and the share of people by arm, of every arm."""

    control: str
    shares: Mapping[str, float]

    @property
    def arms(self) -> list[str]:
        """Names, the control first, the others in order."""
        return [self.control, *sorted(set(self.shares) - {self.control})]


@dataclass(frozen=True)
class Shown:
    """How often each product was shown, int64[products] by arm.

    `category` is int32[products], -1 where it is not known; None if no catalogue is at hand.
    """

    times: Mapping[str, NDArray[np.int64]]
    category: NDArray[np.int32] | None


def compare(seen: Observed, shown: Shown, plan: Plan, settings: MonitoringSettings) -> Comparison:
    """Return every arm's figures; people who were shown several arms are left out."""
    totals = {arm: _totals(seen, arm) for arm in plan.arms}
    people = {arm: total.shape[0] for arm, total in totals.items()}
    metrics = {arm: _metrics(total) for arm, total in totals.items()}
    alpha = settings.alpha / max(1, len(plan.arms) - 1)
    arms = {}
    for arm in plan.arms:
        mine = _of(seen, arm)
        effects: dict[str, Effect | None] = dict.fromkeys(METRICS)
        if arm != plan.control and min(people[arm], people[plan.control]) >= settings.least_people:
            effects |= _effects(metrics[arm], metrics[plan.control], alpha, settings.tightest_at_people)
        rails = of_answers(seen.latency_ms[mine], seen.fallback[mine], settings.guardrails)
        if arm != plan.control:
            rails["margin"] = of_margin(effects["margin_per_request"], settings.guardrails)
            rails |= _diversity(shown, arm, plan.control, settings.guardrails)
        arms[arm] = ArmFigures(people[arm], int(mine.sum()), metrics[arm], effects, rails)
    expected = {arm: plan.shares[arm] for arm in plan.arms}
    return Comparison(plan.control, arms, expected, split_p(list(people.values()), list(expected.values())), alpha)


def _effects(
    arm: Mapping[str, Ratio], control: Mapping[str, Ratio], alpha: float, tightest_at: int
) -> dict[str, Effect]:
    return {name: effect(arm[name], control[name], alpha=alpha, tightest_at=tightest_at) for name in METRICS}


def _diversity(shown: Shown, arm: str, control: str, limits: GuardrailSettings) -> dict[str, Guardrail]:
    nothing = np.zeros(0, dtype=np.int64)
    return of_diversity(shown.times.get(arm, nothing), shown.times.get(control, nothing), shown.category, limits)


def _of(seen: Observed, arm: str) -> NDArray[np.bool_]:
    if arm not in seen.arms:
        return np.zeros(len(seen), dtype=bool)
    mine: NDArray[np.bool_] = (seen.arm == seen.arms.index(arm)) & seen.faithful
    return mine


def _totals(seen: Observed, arm: str) -> NDArray[np.float64]:
    """Return float64[people of the arm, 5]: requests, attached, clicked, value, margin."""
    mine = _of(seen, arm)
    columns = (np.ones(len(seen)), seen.attached, seen.clicked, seen.value, seen.margin)
    _, unit = np.unique(seen.unit[mine], return_inverse=True)
    return per_person(unit.astype(np.int32), np.stack([column[mine].astype(np.float64) for column in columns], axis=1))


def _metrics(totals: NDArray[np.float64]) -> dict[str, Ratio]:
    requests, attached, clicked, value, margin = totals.T
    return {
        "attach_rate": ratio(attached, requests),
        "people_attaching": ratio((attached > 0).astype(np.float64), np.ones_like(attached)),
        "click_rate": ratio(clicked, requests),
        "value_per_request": ratio(value, requests),
        "margin_per_request": ratio(margin, requests),
    }
