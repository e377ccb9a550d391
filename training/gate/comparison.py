"""Checks against the champion on the same fresh cases: better, or not worse and cheaper; and no group worse.

Better: the paired randomisation test over shoppers (`training.evaluation.significance`). Not worse, and a group worse:
one-sided, by bootstrap over shoppers of ours - (1 - margin) × theirs, whose mean is negative exactly if the loss is
larger than the margin; so no division by a figure that may be 0. Groups are corrected by Holm 1979.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.errors import ConfigError
from configs.gating import GateSettings
from training.evaluation.metrics import Floats
from training.evaluation.significance import ShopperBootstrap, holm, sign_flip_p
from training.gate.fresh import FreshCases
from training.gate.verdict import Check

NAME, GROUPS = "champion", "guardrail groups"


@dataclass(frozen=True)
class Pair:
    """What both models got of the same cases.

    Attributes:
        fresh: the cases. ours, theirs: float64[cases], the compared metric. seed: of resampling.
        champion: registry version of the other one.
    """

    fresh: FreshCases
    ours: Floats
    theirs: Floats
    seed: int
    champion: str

    def beyond(self, margin: float) -> Floats:
        """Return float64[cases], by how much ours is above what is left of theirs after losing the margin."""
        return self.ours - (1.0 - margin) * self.theirs

    def bootstrap(self, samples: int) -> ShopperBootstrap:
        """Return the resampling of these cases' shoppers."""
        return ShopperBootstrap(self.fresh.shopper, samples, self.seed)


def better(pair: Pair, gate: GateSettings, cost_ratio: float) -> Check:
    """Check that the candidate is better than the champion, or not worse and cheaper.

    Args:
        pair: both models on the same cases. gate: the bounds.
        cost_ratio: median ranking time of the candidate by the champion's, timed in the same run.
    """
    difference = (pair.ours - pair.theirs)[:, None]
    p = float(sign_flip_p(difference, pair.fresh.shopper, pair.seed)[0])
    interval = pair.bootstrap(gate.samples).ratios(difference, np.ones_like(difference))[0]
    _, drawn = pair.bootstrap(gate.samples).means(pair.beyond(gate.worse_share), np.ones_like(difference))
    not_worse = float(np.quantile(drawn[:, 0], gate.alpha)) >= 0.0
    is_better, is_cheaper = p <= gate.alpha and interval.value > 0, cost_ratio <= gate.cheaper_ratio
    figures = {
        "metric": gate.metric,
        "cases": pair.ours.size,
        "candidate": round(float(pair.ours.mean()), 5),
        "champion": round(float(pair.theirs.mean()), 5),
        "difference": round(interval.value, 5),
        "ci95": [round(interval.low, 5), round(interval.high, 5)],
        "p": round(p, 6),
        "not_worse": not_worse,
        "cost_ratio": round(cost_ratio, 3),
    }
    return Check(
        NAME,
        is_better or (not_worse and is_cheaper),
        f"{interval.value:+.4f} ({interval.low:+.4f} – {interval.high:+.4f}), p {p:.3f}, cost × {cost_ratio:.2f}",
        f"p ≤ {gate.alpha:g} and above 0; or at most {gate.worse_share:.0%} lost and cost × {gate.cheaper_ratio:g}",
        _sentence(pair, figures, gate, is_better, is_cheaper),
        figures,
    )


def groups_hold(pair: Pair, gate: GateSettings) -> Check:
    """Check that no group of cases is surely worse off than with the champion, beyond the margin."""
    members, few = _members(pair.fresh, gate)
    demanded = f"none loses over {gate.slice_worse_share:.0%}, Holm's p ≤ {gate.alpha:g}"
    if not members:
        return Check(
            GROUPS, True, "too few cases", demanded, f"no group has {gate.slice_cases} fresh cases to judge by"
        )
    table = np.stack(list(members.values()), axis=1)
    value, drawn = pair.bootstrap(gate.samples).means(pair.beyond(gate.slice_worse_share), table)
    p = (1.0 + (drawn >= 0.0).sum(axis=0)) / (1.0 + (~np.isnan(drawn)).sum(axis=0))
    adjusted = holm(p)
    figures: dict[str, Any] = {"not_judged": few}
    worse = []
    for column, (label, belongs) in enumerate(members.items()):
        ours, theirs = (float(scores[belongs > 0].mean()) for scores in (pair.ours, pair.theirs))
        lost = bool(adjusted[column] <= gate.alpha and value[column] < 0)
        figures[label] = {
            "cases": int(belongs.sum()),
            "candidate": round(ours, 5),
            "champion": round(theirs, 5),
            "p_holm": round(float(adjusted[column]), 6),
        }
        if lost:
            worse.append(f"{label} ({gate.metric} {ours:.3f} against {theirs:.3f}, p {adjusted[column]:.3f})")
    unsaid = f"; too few cases to judge {', '.join(few)}" if few else ""
    says = (
        f"worse off than with version {pair.champion}: {', '.join(worse)}"
        if worse
        else (f"no group is surely worse off than with version {pair.champion}: {', '.join(members)}{unsaid}")
    )
    return Check(GROUPS, not worse, f"{len(worse)} of {len(members)} worse", demanded, says, figures)


def nothing_to_compare(because: str, *, passed: bool) -> list[Check]:
    """Return both checks as they are where there is no comparison, and the sentence why."""
    return [Check(name, passed, "not compared", "–", because) for name in (NAME, GROUPS)]


def _members(fresh: FreshCases, gate: GateSettings) -> tuple[dict[str, Floats], list[str]]:
    """Return float64[cases] of each demanded group that has enough cases, 1 for its members, and the other groups."""
    members: dict[str, Floats] = {}
    few = []
    for asked in gate.slices:
        grouping, _, label = asked.partition("=")
        if grouping not in fresh.groups:
            raise ConfigError(
                f"registry.gate.slices names {asked!r}, but cases are grouped by {', '.join(fresh.groups)}: write one "
                "of these, or one with a label behind it, as in cart_size=1-2."
            )
        slicing = fresh.groups[grouping]
        for column, name in enumerate(slicing.labels):
            if label in {"", name}:
                belongs = slicing.members()[:, column]
                if belongs.sum() >= gate.slice_cases:
                    members[f"{grouping}={name}"] = belongs
                else:
                    few.append(f"{grouping}={name}")
        if label and label not in slicing.labels:
            few.append(asked)
    return members, few


def _sentence(pair: Pair, figures: Mapping[str, Any], gate: GateSettings, is_better: bool, is_cheaper: bool) -> str:
    less = "more" if figures["difference"] >= 0 else "less"
    said = (
        f"on {figures['cases']:,} fresh cases its {gate.metric.replace('_', ' ')} is {figures['candidate']:.4f}, that "
        f"is {abs(figures['difference']):.4f} {less} than the {figures['champion']:.4f} of version {pair.champion} "
        f"(p {figures['p']:.3f})"
    )
    if is_better:
        return f"{said}: better"
    worse = "not worse" if figures["not_worse"] else f"maybe more than {gate.worse_share:.0%} worse"
    cost = f"costs {figures['cost_ratio']:.2f} times as much to rank with"
    joined = "and" if figures["not_worse"] and is_cheaper else "but" if figures["not_worse"] else "and"
    return f"{said}: not surely better; {worse} {joined} it {cost}"
