"""The audit as a whole: groupings, measures, verdict, as plain data for `evaluation.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.settings import AuditSettings
from features.context import ProductMatrix
from features.history import History
from training.evaluation.audit.groups import Grouping, demographic_groups, novelty_groups, price_groups
from training.evaluation.audit.measures import EXPOSURE, Measure, Served, measures
from training.evaluation.audit.verdict import Judgement, finding, interval, judged, judgements_of
from training.evaluation.metrics import Floats
from training.evaluation.significance import divided

DIGITS = 5


@dataclass(frozen=True)
class Audited:
    """What is audited.

    Attributes:
        served: the model's lists for cases with one hidden product.
        history: all orders. matrix: the product side as of `as_of`, unix seconds, the model's cutoff.
        data: folder that `ingest` wrote, with what the shop knows of its shoppers.
    """

    served: Served
    history: History
    matrix: ProductMatrix
    as_of: int
    data: Path


def audit(audited: Audited, policy: AuditSettings) -> dict[str, Any]:
    """Return the audit's part of `evaluation.json`.

    Returns:
        `passed`; `findings`: a sentence for each group that fell short; `notes`: sentences on what could not be
        judged; `policy`: the settings; `judgements`: how many; `groups.GROUPING`: `of`, `unknown` (cases of no known
        group), `by_group.LABEL` with `cases`, `shoppers`, `judged` and for each measure `{value, ci95, reference,
        difference, ratio, ratio_ci95, ratio_to_best, limit, p_holm, short}`, the last three None if it was told only.
        `reference` is the value of all cases whose group is known; of products' exposure, their share of what is
        taken, and products' exposure has `catalogue` besides, their share of the catalogue.

    Raises:
        ConfigError: the policy names a column that the data set does not tell of shoppers.
    """
    groupings = [grouping for grouping in _groupings(audited, policy) if (grouping.case >= 0).any()]
    found = {grouping.name: list(measures(audited.served, grouping)) for grouping in groupings}
    shoppers = {grouping.name: _shoppers(audited.served, grouping) for grouping in groupings}
    tests = judged(
        [
            test
            for grouping in groupings
            for measure in found[grouping.name]
            for test in judgements_of(policy, grouping, measure, shoppers[grouping.name])
        ],
        policy.alpha,
    )
    of = {grouping.name: grouping.of for grouping in groupings}
    failed = [test for test in tests if test.short]
    return {
        "passed": not failed,
        "findings": [finding(test, of[test.grouping]) for test in failed],
        "notes": list(_notes(groupings, shoppers, policy)),
        "policy": policy.model_dump(mode="json"),
        "judgements": len(tests),
        "groups": {
            grouping.name: _as_dict(grouping, found[grouping.name], shoppers[grouping.name], tests)
            for grouping in groupings
        },
    }


def _groupings(audited: Audited, policy: AuditSettings) -> list[Grouping]:
    hidden, known = audited.served.hidden.first, audited.history.before(audited.as_of)
    price = audited.matrix.price.astype(np.float64)
    return [
        *demographic_groups(audited.data, policy.demographics, audited.history, audited.served.shopper),
        price_groups(price, known.product, hidden, policy.price_tiers),
        novelty_groups(known, hidden, audited.as_of, policy.new_days),
    ]


def _shoppers(served: Served, grouping: Grouping) -> list[int]:
    return [int(np.unique(served.shopper[grouping.case == code]).size) for code in range(len(grouping.labels))]


def _notes(groupings: Sequence[Grouping], shoppers: Mapping[str, list[int]], policy: AuditSettings) -> list[str]:
    said = []
    people = [grouping for grouping in groupings if grouping.of == "shoppers"]
    if not people:
        said.append("The data set tells nothing of its shoppers: no demographic group could be judged.")
    unknown = {grouping.name: float((grouping.case < 0).mean()) for grouping in groupings}
    if any(unknown.values()):
        shares = ", ".join(f"{name} of {share:.0%}" for name, share in unknown.items() if share > 0)
        said.append(f"Not known, and therefore not judged: {shares} of the cases.")
    for grouping in groupings:
        few = [
            f"{label!r} ({count})"
            for label, count in zip(grouping.labels, shoppers[grouping.name], strict=True)
            if 0 < count < policy.min_shoppers
        ]
        if few:
            said.append(f"{grouping.name}: too few shoppers to judge {', '.join(few)}.")
    return said


def _as_dict(
    grouping: Grouping, found: Sequence[Measure], shoppers: Sequence[int], tests: Sequence[Judgement]
) -> dict[str, Any]:
    by_group: dict[str, Any] = {}
    for row, label in enumerate(grouping.labels):
        cases = int((grouping.case == row).sum())
        if not cases and grouping.of == "shoppers":
            continue
        of_group = {test.measure: test for test in tests if (test.grouping, test.label) == (grouping.name, label)}
        by_group[label] = {"cases": cases, "shoppers": shoppers[row], "judged": bool(of_group)}
        by_group[label] |= {
            measure.name: _figures(measure, row, _best(measure, grouping, tests), of_group.get(measure.name))
            for measure in found
        }
        if grouping.product is not None:
            by_group[label][EXPOSURE]["catalogue"] = _number(float((grouping.product == row).mean()))
    return {"of": grouping.of, "unknown": int((grouping.case < 0).sum()), "by_group": by_group}


def _best(measure: Measure, grouping: Grouping, tests: Sequence[Judgement]) -> float:
    """Return the highest value over its reference of the groups that are judged; NaN if none is."""
    ratios = [test.ratio for test in tests if (test.grouping, test.measure) == (grouping.name, measure.name)]
    return max(ratios, default=math.nan)


def _figures(measure: Measure, row: int, best: float, test: Judgement | None) -> dict[str, Any]:
    value, reference = float(measure.value[row]), float(measure.reference[row])
    ratios = divided(measure.drawn[:, row], measure.reference_drawn[:, row])
    ratio = value / reference if reference > 0 else math.nan
    return {
        "value": _number(value),
        "ci95": _interval(measure.drawn[:, row]),
        "reference": _number(reference),
        "difference": _number(value - reference),
        "ratio": _number(ratio),
        "ratio_ci95": _interval(ratios),
        "ratio_to_best": _number(ratio / best if best > 0 else math.nan),
        "limit": None if test is None else test.limit,
        "p_holm": None if test is None else _number(test.p, 6),
        "short": None if test is None else test.short,
    }


def _interval(drawn: Floats) -> list[float | None]:
    return [_number(bound) for bound in interval(drawn)]


def _number(value: float, digits: int = DIGITS) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
