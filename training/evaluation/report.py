"""From what arms showed to the figures of `evaluation.json`: plain data, rounded, None where nothing was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.candidates import GENERATORS
from training.evaluation.arms import MODEL
from training.evaluation.calibration import calibration
from training.evaluation.metrics import Hidden, Products, Ratio, coverage, hits, judge, stack
from training.evaluation.ranking import Found, Shown
from training.evaluation.significance import Estimates, Mean, ShopperBootstrap, holm, sign_flip_p
from training.evaluation.slices import Slicing

DIGITS = 5
Judged = Mapping[str, Mapping[str, Ratio]]
"""arm → metric → per-case values."""


@dataclass(frozen=True)
class Asked:
    """What the judgement rests on besides the lists.

    Attributes:
        hidden: what was to be found. shopper: int32[cases], who.
        products: of the catalogue. k: length of the judged lists.
        samples, seed: of the bootstrap; the seed is that of the sign flips, too.
    """

    hidden: Hidden
    shopper: NDArray[np.int32]
    products: Products
    k: int
    samples: int
    seed: int

    @property
    def bootstrap(self) -> ShopperBootstrap:
        """The resampling of these cases' shoppers."""
        return ShopperBootstrap(self.shopper, self.samples, self.seed)


def variant_report(
    asked: Asked, shown: Shown, slicings: Mapping[str, Slicing], compared: Sequence[str]
) -> dict[str, Any]:
    """Return one variant's figures.

    Args:
        asked: the cases. shown: what each arm showed for them.
        slicings: ways to group the cases; may be empty. compared: metrics in which the model is held against others.

    Returns:
        `cases`, `shoppers`, `arms.ARM.METRIC.{value, ci95}` (with `repeat` and `new` where cases are grouped by them),
        `paired.ARM.METRIC.{difference, ci95, p, p_holm, relative, relative_ci95}`: the model less the arm,
        `slices.GROUPING.LABEL.{cases, shoppers, hit_rate.ARM.{value, ci95}}`, `calibration.ARM`, `candidates`.
    """
    judged = {arm: judge(lists, asked.hidden, asked.products, asked.k) for arm, lists in shown.lists.items()}
    arms = _arms(asked, judged)
    for arm, lists in shown.lists.items():
        share = coverage(lists.top(asked.k), asked.products.price.size)
        arms[arm]["coverage"] = {"value": round(share, DIGITS)}
    slices = _slices(asked, judged, slicings)
    for label, group in slices.get("repeat", {}).items():
        for arm in arms:
            arms[arm][label] = group["hit_rate"][arm]
    return {
        "cases": int(asked.hidden.count.size),
        "shoppers": int(np.unique(asked.shopper).size),
        "arms": arms,
        "paired": paired(asked, judged, compared),
        "slices": slices,
        "calibration": _calibration(asked, shown),
        "candidates": candidates(shown.found, asked.hidden),
    }


def paired(asked: Asked, judged: Judged, metrics: Sequence[str]) -> dict[str, Any]:
    """Return the model less each other arm on the same cases: difference, interval, p and relative lift.

    `p_holm` is adjusted over the arms, for each metric by itself.
    """
    others = [arm for arm in judged if arm != MODEL]
    if not others:
        return {}
    # Columns go metric by metric within an arm. These metrics are known for every case: the denominators are ones.
    ours, cases = stack({metric: judged[MODEL][metric] for metric in metrics})
    ours = np.tile(ours, len(others))
    theirs = np.concatenate([stack({metric: judged[arm][metric] for metric in metrics})[0] for arm in others], axis=1)
    difference = asked.bootstrap.ratios(ours - theirs, np.tile(cases, len(others)))
    lift = asked.bootstrap.lifts(ours, theirs)
    p = sign_flip_p(ours - theirs, asked.shopper, asked.seed).reshape(len(others), len(metrics))
    adjusted = np.stack([holm(p[:, column]) for column in range(len(metrics))], axis=1)
    found: dict[str, Any] = {}
    for row, arm in enumerate(others):
        found[arm] = {}
        for column, metric in enumerate(metrics):
            place = row * len(metrics) + column
            less, more = difference[place], lift[place]
            found[arm][metric] = {
                "difference": _number(less.value),
                "ci95": [_number(less.low), _number(less.high)],
                "p": _number(p[row, column], 6),
                "p_holm": _number(adjusted[row, column], 6),
                "relative": _number(more.value),
                "relative_ci95": [_number(more.low), _number(more.high)],
            }
    return found


def candidates(found: Found, hidden: Hidden) -> dict[str, Any]:
    """Return the ceiling that candidate generation sets: mean size and mean share of hidden products in it.

    `only` is what would be lost without the generator: hidden products that no other one found.
    """

    def recall(held: NDArray[np.bool_]) -> float:
        return float((hidden.per_case(held.astype(np.float64)) / hidden.count).mean())

    alone = found.hidden[:, 1:]
    single = alone.sum(axis=1) == 1
    size = found.size.mean(axis=0)
    return {
        "mean": round(float(size[0]), 1),
        "recall": round(recall(found.hidden[:, 0]), DIGITS),
        "by_generator": {
            name: {
                "mean": round(float(size[column + 1]), 1),
                "recall": round(recall(alone[:, column]), DIGITS),
                "only": round(recall(alone[:, column] & single), DIGITS),
            }
            for column, name in enumerate(GENERATORS)
        },
    }


def _arms(asked: Asked, judged: Judged) -> dict[str, dict[str, Any]]:
    stacked = [stack(metrics) for metrics in judged.values()]
    found = asked.bootstrap.ratios(
        np.concatenate([above for above, _ in stacked], axis=1), np.concatenate([below for _, below in stacked], axis=1)
    )
    names = [(arm, metric) for arm, metrics in judged.items() for metric in metrics]
    arms: dict[str, dict[str, Any]] = {arm: {} for arm in judged}
    for column, (arm, metric) in enumerate(names):
        arms[arm][metric] = _figure(found[column])
    return arms


def _slices(asked: Asked, judged: Judged, slicings: Mapping[str, Slicing]) -> dict[str, Any]:
    slices: dict[str, Any] = {}
    for name, slicing in slicings.items():
        members = slicing.members()
        found = {arm: _in_groups(asked, metrics["hit_rate"], members) for arm, metrics in judged.items()}
        slices[name] = {
            label: {
                "cases": int(members[:, column].sum()),
                "shoppers": int(np.unique(asked.shopper[members[:, column] > 0]).size),
                "hit_rate": {arm: _figure(estimates[column]) for arm, estimates in found.items()},
            }
            for column, label in enumerate(slicing.labels)
        }
    return slices


def _in_groups(asked: Asked, metric: Ratio, members: NDArray[np.float64]) -> Estimates:
    return asked.bootstrap.ratios(metric.numerator[:, None] * members, metric.denominator[:, None] * members)


def _calibration(asked: Asked, shown: Shown) -> dict[str, Any]:
    report = {}
    for arm, probability in shown.probability.items():
        taken = hits(shown.lists[arm].top(probability.shape[1]), asked.hidden)
        found = calibration(probability, taken)
        if found is not None:
            report[arm] = {
                "pairs": found.pairs,
                "ece": _number(found.error),
                "curve": [
                    {"predicted": _number(said), "observed": _number(happened), "pairs": int(count)}
                    for said, happened, count in zip(found.predicted, found.observed, found.count, strict=True)
                ],
            }
    return report


def _figure(mean: Mean) -> dict[str, Any]:
    return {"value": _number(mean.value), "ci95": [_number(mean.low), _number(mean.high)]}


def _number(value: float, digits: int = DIGITS) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None
