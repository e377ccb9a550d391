"""What is measured of groups: quality and exposure, each a value beside the one that it is held against.

Fairlearn's `MetricFrame` tells quality and filled places by group and overall. Its bootstrap resamples rows, as if the
cases of one shopper were independent; ours resamples shoppers, as everywhere in the evaluation, and is the only one
of the two that can: with groups of products a shopper's cases lie in several groups.

Sources: disaggregated metrics, Weerts et al. 2023 (JMLR 24, 257, "Fairlearn"); exposure in proportion to what is
relevant, Singh and Joachims 2018 (KDD, "Fairness of Exposure in Rankings").
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.audit.groups import Codes, Grouping
from training.evaluation.metrics import Floats, Hidden, Lists, accuracy, hits
from training.evaluation.significance import ShopperBootstrap, divided

QUALITY = ("hit_rate", "ndcg")
EXPOSURE = "exposure"


@dataclass(frozen=True)
class Measure:
    """One measure of every group of a grouping.

    Attributes:
        name: of it. value, reference: float64[groups]; NaN where there is nothing to measure.
        drawn, reference_drawn: float64[samples, groups], both in each resample of shoppers.
        units: float64[groups], how many cases (or places) lie behind `value`, or behind `reference` where that is
            what chance moves most.
        noise_of: which of the two `units` count: "value" or "reference".
    """

    name: str
    value: Floats
    reference: Floats
    drawn: Floats
    reference_drawn: Floats
    units: Floats
    noise_of: str = "value"

    def error(self, limit: float, row: int) -> float:
        """Return the standard error of value - limit * reference of one group, as far as it can be told.

        It is never smaller than independent cases at the limit itself would make it: the resamples of a group without
        any hit all agree, which is not to say that it is sure never to have one.
        """
        drawn = self.drawn[:, row] - limit * self.reference_drawn[:, row]
        known = drawn[~np.isnan(drawn)]
        at_reference = self.noise_of == "reference"
        rate = min(float(self.reference[row]) * (1.0 if at_reference else limit), 1.0)
        least = (limit if at_reference else 1.0) * math.sqrt(rate * (1.0 - rate) / max(float(self.units[row]), 1.0))
        return max(float(known.std()) if known.size else 0.0, least)


@dataclass(frozen=True)
class Served:
    """What the model showed for each case.

    Attributes:
        rows: int32[cases, k] product rows, -1 where the list is shorter. hidden: one product a case.
        shopper: int32[cases]. bootstrap: of these cases' shoppers.
    """

    rows: NDArray[np.int32]
    hidden: Hidden
    shopper: NDArray[np.int32]
    bootstrap: ShopperBootstrap

    def per_case(self) -> dict[str, Floats]:
        """Return float64[cases] each: hit rate, NDCG, and the share of the list's places that are filled."""
        lists, k = Lists(self.rows), self.rows.shape[1]
        found = accuracy(hits(lists, self.hidden), self.hidden.count, k)
        return {name: found[name] for name in QUALITY} | {EXPOSURE: lists.shown.mean(axis=1)}


def measures(served: Served, grouping: Grouping) -> Iterator[Measure]:
    """Yield every measure of a grouping: quality first, exposure last."""
    per_case = served.per_case()
    if grouping.product is not None:
        del per_case[EXPOSURE]  # of products it is not how full lists are, but of what
    yield from _means(served, grouping, per_case)
    if grouping.product is not None:
        yield _exposure_of_products(served, grouping, grouping.product)


def _means(served: Served, grouping: Grouping, per_case: dict[str, Floats]) -> Iterator[Measure]:
    """Yield means over the cases of each group beside the mean over all cases whose group is known."""
    members = grouping.members()
    known = np.column_stack([members, members.sum(axis=1)])
    frame = _metric_frame(grouping, per_case)
    stacked = [known, *(values[:, None] * known for values in per_case.values())]
    drawn = np.split(served.bootstrap.sums(np.concatenate(stacked, axis=1))[1], len(stacked), axis=1)
    for name, found in zip(per_case, drawn[1:], strict=True):
        rates = divided(found, drawn[0])
        by_group = frame.by_group[name].reindex(range(len(grouping.labels))).to_numpy(np.float64)
        reference = np.full(by_group.size, float(frame.overall[name]))
        units = members.sum(axis=0) * (served.rows.shape[1] if name == EXPOSURE else 1)
        yield Measure(name, by_group, reference, rates[:, :-1], np.tile(rates[:, -1:], by_group.size), units)


def _metric_frame(grouping: Grouping, per_case: dict[str, Floats]) -> Any:
    """Return Fairlearn's frame of the cases whose group is known; what it predicts is what was found already."""
    from fairlearn.metrics import MetricFrame

    known = grouping.case >= 0
    nothing = np.zeros(int(known.sum()))
    return MetricFrame(
        metrics=dict.fromkeys(per_case, _mean),
        y_true=nothing,
        y_pred=nothing,
        sensitive_features={grouping.name: grouping.case[known]},
        sample_params={name: {"values": values[known]} for name, values in per_case.items()},
    )


def _mean(y_true: Floats, y_pred: Floats, values: Floats) -> float:
    return float(np.mean(values))


def _exposure_of_products(served: Served, grouping: Grouping, product: Codes) -> Measure:
    """Return each group's share of shown places beside its share of what was taken."""
    group = np.where(served.rows >= 0, product[served.rows], -1)
    shown = np.stack([(group == code).sum(axis=1) for code in range(len(grouping.labels))], axis=1).astype(np.float64)
    taken = grouping.members()
    total, drawn = served.bootstrap.sums(np.concatenate([shown, taken], axis=1))
    (shown_sum, taken_sum), (shown_drawn, taken_drawn) = np.split(total, 2), np.split(drawn, 2, axis=1)
    return Measure(
        EXPOSURE,
        divided(shown_sum, shown_sum.sum(keepdims=True)),
        divided(taken_sum, taken_sum.sum(keepdims=True)),
        divided(shown_drawn, shown_drawn.sum(axis=1, keepdims=True)),
        divided(taken_drawn, taken_drawn.sum(axis=1, keepdims=True)),
        np.full(taken_sum.size, taken_sum.sum()),
        noise_of="reference",
    )
