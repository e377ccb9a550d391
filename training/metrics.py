"""How good ranked lists are: per-case metrics, means with bootstrap intervals over shoppers.

The denominator is always all hidden products, reachable or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS = ("hit_rate", "recall", "ndcg", "mrr")


@dataclass(frozen=True)
class Mean:
    """A mean over cases and its 95 % percentile interval."""

    value: float
    low: float
    high: float


def judge(ranked: NDArray[np.int32], hidden: NDArray[np.int32], k: int) -> tuple[float, float, float, float]:
    """Return (hit rate, recall, NDCG, MRR) at k of one case.

    Args:
        ranked: product rows, best first. hidden: the products that were in the basket, at least one.
        k: only the first k count.
    """
    places = np.flatnonzero(np.isin(ranked[:k], hidden))
    if not places.size:
        return 0.0, 0.0, 0.0, 0.0
    ideal = (1.0 / np.log2(np.arange(min(k, hidden.size)) + 2)).sum()
    gain = (1.0 / np.log2(places + 2)).sum()
    return 1.0, places.size / hidden.size, float(gain / ideal), 1.0 / (float(places[0]) + 1.0)


def mean_with_interval(values: NDArray[np.float64], shoppers: NDArray[np.int32], samples: int, seed: int) -> Mean:
    """Return the mean over cases with the 95 % percentile interval of a cluster bootstrap over shoppers.

    Args:
        values: float64[cases], at least one. shoppers: int32[cases], who each case belongs to.
        samples: resamples. seed: of the resampling; equal seeds resample equally, so arms stay paired.
    """
    _, member = np.unique(shoppers, return_inverse=True)
    totals, counts = np.bincount(member, values), np.bincount(member)
    generator = np.random.default_rng(seed)
    means = np.empty(samples)
    for sample in range(samples):
        drawn = generator.integers(0, totals.size, totals.size)
        means[sample] = totals[drawn].sum() / counts[drawn].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return Mean(float(values.mean()), float(low), float(high))


def summarise(
    per_case: Mapping[str, NDArray[np.float64]], shoppers: NDArray[np.int32], samples: int, seed: int
) -> dict[str, dict[str, object]]:
    """Return each metric as {"value": mean, "ci95": [low, high]}, rounded to five digits."""
    summary: dict[str, dict[str, object]] = {}
    for name, values in per_case.items():
        mean = mean_with_interval(values, shoppers, samples, seed)
        summary[name] = {"value": round(mean.value, 5), "ci95": [round(mean.low, 5), round(mean.high, 5)]}
    return summary


def columns(judged: Sequence[tuple[float, float, float, float]]) -> dict[str, NDArray[np.float64]]:
    """Return per-case results as one float64[cases] array a metric."""
    matrix = np.asarray(judged, dtype=np.float64).reshape(-1, len(METRICS))
    return {name: matrix[:, column] for column, name in enumerate(METRICS)}
