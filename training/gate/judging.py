"""The whole gate: every check of a version, in one verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import Settings
from configs.errors import NotBuiltError
from features.history import load_history
from training.gate import told
from training.gate.comparison import Pair, better, groups_hold, nothing_to_compare
from training.gate.cost import cost_of, in_memory, in_time, recorded_requests
from training.gate.fit import loads, schema, self_test
from training.gate.fresh import FreshCases, found_by, fresh_cases
from training.gate.prices import Reference, paid_before, prices, shown_by
from training.gate.verdict import Check, Verdict
from training.golden import Golden
from training.package import ModelPackage

Tell = Callable[[str, float], None]
"""Hears what is done now, and the finished share."""


@dataclass(frozen=True)
class Candidate:
    """A version that asks to serve.

    Attributes:
        version: in the registry. folder: of its package. evaluation: what it was registered with.
        trial: what its trial through a real service found; None: it was not tried.
        stepped_back: the decision by which the alias was taken from it; None: it was not.
    """

    version: str
    folder: Path
    evaluation: Mapping[str, Any]
    trial: Mapping[str, Any] | None = None
    stepped_back: str | None = None


@dataclass(frozen=True)
class Incumbent:
    """The champion: its registry version, and the folder of its package."""

    version: str
    folder: Path


def judge(settings: Settings, candidate: Candidate, champion: Incumbent | None, tell: Tell) -> Verdict:
    """Return what speaks for and against a version.

    Args:
        settings: `registry.gate` and a work folder with data and features. candidate: who asks.
        champion: what serves now; None if nothing does. tell: hears how far the gate is.

    Raises:
        ConfigError: `registry.gate.slices` names a grouping that there is not.
        StageError: a process of the gate was ended from outside.
    """
    tell("checking the package", 0.0)
    checks = [schema(candidate.folder)]
    against = None if champion is None else champion.version
    if not checks[0].passed:
        return Verdict(candidate.version, "", against, checks)
    whole, package = loads(candidate.folder)
    checks.append(whole)
    if package is None:
        return Verdict(candidate.version, "", against, checks)
    gate = settings.registry.gate
    checks += [
        self_test(package),
        told.stepped_back(candidate.stepped_back),
        told.beats_arms(candidate.evaluation, settings.registry.beat_arms),
        *_compared(settings, candidate, package, champion, tell),
        told.audit(candidate.evaluation),
        told.trial(candidate.trial, package.version, gate),
    ]
    return Verdict(candidate.version, package.version, against, checks)


def _compared(
    settings: Settings, candidate: Candidate, package: ModelPackage, champion: Incumbent | None, tell: Tell
) -> list[Check]:
    """Return the checks that want baskets: the champion, the guardrail groups, prices, time and memory."""
    gate, k = settings.registry.gate, settings.evaluation.k
    other, because = _other(package, champion)
    tell("finding fresh baskets", 0.05)
    fresh = fresh_cases(settings, [one.as_of for one in (package, other) if one is not None])
    tell("measuring time and memory", 0.2)
    beside = None if champion is None or other is None else champion.folder
    cost = cost_of(candidate.folder, beside, _requests(settings, package, fresh), k, gate.timed_repeats)
    if champion is None or other is None:
        against = nothing_to_compare(because, passed=True)
    elif isinstance(fresh, str):
        against = nothing_to_compare(fresh, passed=False)
    else:
        pair = _ranked(settings, fresh, (package, other), champion.version, tell)
        against = [better(pair, gate, cost.ratio), groups_hold(pair, gate)]
    shown = prices(package, _prices_known(settings, package, fresh, champion, other), gate)
    return [*against, shown, in_time(cost, gate), in_memory(cost, gate)]


def _prices_known(
    settings: Settings,
    package: ModelPackage,
    fresh: FreshCases | str,
    champion: Incumbent | None,
    other: ModelPackage | None,
) -> list[Reference]:
    """Return what a package's prices can be compared with: those of the champion, and what was paid."""
    known = [] if champion is None or other is None else [shown_by(champion.version, other)]
    try:
        history = load_history(settings.work.data) if isinstance(fresh, str) else fresh.history
    except NotBuiltError:
        return known
    return [*known, paid_before(history, package.as_of, package.matrix.features.price_half_life_days)]


def _other(package: ModelPackage, champion: Incumbent | None) -> tuple[ModelPackage | None, str]:
    """Return the champion's package if it is to be compared with, else the sentence why it is not."""
    if champion is None:
        return None, "nothing is champion yet, so there is nothing to compare it with: this is the first"
    whole, other = loads(champion.folder)
    if other is None:
        return None, f"the champion, version {champion.version}, cannot serve here any more: {whole.says}"
    if other.version == package.version:
        return None, f"it holds the very package {package.version} of the champion, version {champion.version}"
    return other, ""


def _requests(settings: Settings, package: ModelPackage, fresh: FreshCases | str) -> Sequence[Golden]:
    """Return what is timed: fresh baskets, else what the package brings along."""
    if isinstance(fresh, str):
        return recorded_requests(package)
    return fresh.named(settings.registry.gate.timed_requests, settings.windows.seed)


def _ranked(
    settings: Settings, fresh: FreshCases, packages: tuple[ModelPackage, ModelPackage], champion: str, tell: Tell
) -> Pair:
    found = []
    for place, package in enumerate(packages):

        def told_of(share: float, place: int = place) -> None:
            tell(f"ranking {len(fresh.cases):,} fresh baskets", 0.4 + 0.6 * (place + share) / len(packages))

        every = found_by(package, fresh, settings.evaluation.k, settings.evaluation.workers, told_of)
        found.append(every[settings.registry.gate.metric])
    return Pair(fresh, found[0], found[1], settings.windows.seed, champion)
