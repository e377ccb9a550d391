"""What a step is judged by: figures with intervals that hold however often one looks, and what follows from them.

A check is worse, a reason to stop, only if its whole interval lies beyond the limit, and fine only if enough is known
to go on. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from configs.settings import ReleaseSettings
from monitoring.experiments.comparison import METRICS
from monitoring.experiments.effects import Effect, Ratio, effect, per_person, ratio
from monitoring.experiments.guardrails import Guardrail

Verdict = Literal["worse", "fine", "open", "too few", "silent"]
Action = Literal["wait", "advance", "stop"]

GUARDRAILS = ("slow_share", "fallback_share", "margin_per_request")
"""Tested beside the figures, each with its part of alpha."""


@dataclass(frozen=True)
class Check:
    """One figure of a look.

    Attributes:
        found: candidate less control, or the figure itself. low, high: always-valid interval; NaN if there is none.
        limit: that it is held against. verdict: worse stops; open and too few wait; silent: nothing was told of it.
        says: the same in words.
    """

    name: str
    found: float
    low: float
    high: float
    limit: float
    verdict: Verdict
    says: str


@dataclass(frozen=True)
class Judged:
    """What a look found.

    Attributes:
        people, answers: by arm, those that count. checks: by name. action, why: what follows.
    """

    people: dict[str, int]
    answers: dict[str, int]
    checks: tuple[Check, ...]
    action: Action
    why: str

    def document(self) -> dict[str, Any]:
        """Return it as plain data, with null for what is not known."""
        found = asdict(self)
        checks = [{key: _plain(value) for key, value in asdict(check).items()} for check in self.checks]
        return found | {"checks": checks}


def alpha_of_a_test(settings: ReleaseSettings) -> float:
    """Return each test's part of alpha: Bonferroni over steps, figures and guardrails."""
    tests = len(settings.metrics) + len(GUARDRAILS)
    return settings.alpha / (len(settings.steps) * tests)


def against(arm: Ratio, control: Ratio, *, alpha: float, tightest_at: float) -> Effect:
    """Return an arm's effect, its variance at least what it would be if its people were like the control's.

    A small arm that nothing rare has happened in yet looks as if nothing could: its own variance is 0, and a healthy
    version would be stopped. Where there is no difference the control, which is larger, tells the variance of both.
    """
    if arm.people and control.people:
        least = control.variance * control.people / arm.people
        arm = Ratio(arm.value, float(np.fmax(arm.variance, least)), arm.people)
    return effect(arm, control, alpha=alpha, tightest_at=tightest_at)


def mean(units: NDArray[np.int32], values: NDArray[np.float64] | NDArray[np.bool_]) -> Ratio:
    """Return the mean over answers of what lies in [0, 1], a share being one of noughts and ones.

    Its variance is that with one person more at either end: where all answers are alike it would be 0, and nothing
    could ever be said (after Agresti and Coull 1998, The American Statistician).
    """
    _, mine = np.unique(units, return_inverse=True)
    totals = per_person(mine.astype(np.int32), np.stack([values.astype(np.float64), np.ones(values.size)], axis=1))
    wary = np.concatenate([totals, [[0.0, 1.0], [1.0, 1.0]]])
    found = ratio(totals[:, 0], totals[:, 1])
    return Ratio(found.value, ratio(wary[:, 0], wary[:, 1]).variance, found.people)


def no_worse(name: str, arm: Ratio, control: Ratio, margin: float, change: Effect) -> Check:
    """Return the check of a figure of which more is better.

    Args:
        margin: share of the control's value that may be lost. change: see `against`.
    """
    low, high = change.always
    limit = -margin * control.value
    if arm.value == 0 and control.value == 0:
        return Check(name, 0.0, low, high, limit, "silent", f"{words(name)} is 0 in both arms")
    verdict: Verdict = "worse" if high < 0 else "fine" if low >= limit else "open"
    says = f"{words(name)} {_number(name, arm.value)} against {_number(name, control.value)}"
    return Check(name, change.absolute, low, high, limit, verdict, f"{says}, change {_interval(name, low, high)}")


def no_more(name: str, arm: Ratio, control: Ratio, limit: float, change: Effect) -> Check:
    """Return the check of a share of which more is worse, by `limit` beyond the control's at most."""
    low, high = change.always
    verdict: Verdict = "worse" if low > limit else "fine" if change.absolute <= limit else "open"
    says = f"{words(name)} {_number(name, arm.value)} against {_number(name, control.value)}"
    says = f"{says}, change {_interval(name, low, high)}, limit {limit:+.1%}"
    return Check(name, change.absolute, low, high, limit, verdict, says)


def by_rail(name: str, rail: Guardrail) -> Check:
    """Return the check that a guardrail of experiments is."""
    verdicts: dict[str, Verdict] = {"ok": "fine", "broken": "worse", "too few": "too few"}
    says = f"{words(name)} {rail.figure:+.1%} against the control, limit {rail.limit:+.1%}"
    return Check(name, rail.figure, np.nan, np.nan, rail.limit, verdicts[rail.verdict], says)


def too_few(names: Sequence[str]) -> list[Check]:
    """Return checks of which nothing can be said yet."""
    return [Check(name, np.nan, np.nan, np.nan, np.nan, "too few", f"{words(name)}: too few people") for name in names]


def worst(checks: Sequence[Check]) -> str | None:
    """Return why to stop; None if there is no reason to."""
    return "; ".join(check.says for check in checks if check.verdict == "worse") or None


def waits_for(checks: Sequence[Check]) -> str | None:
    """Return what is not known well enough to go on; None if all is. Not all figures may be silent."""
    held = "; ".join(check.says for check in checks if check.verdict in {"open", "too few"})
    figures = [check for check in checks if check.name in METRICS and check.name not in GUARDRAILS]
    if not held and figures and all(check.verdict == "silent" for check in figures):
        return "nothing was clicked, added or ordered in either arm"
    return held or None


def words(name: str) -> str:
    """Return a figure's name as words."""
    return name.replace("_", " ")


def _interval(name: str, low: float, high: float) -> str:
    if not np.isfinite(low):
        return "not known"
    return f"[{_number(name, low, '+')}, {_number(name, high, '+')}]"


def _number(name: str, value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}" if name.endswith("per_request") else f"{value:{sign}.2%}"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
