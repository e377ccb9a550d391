"""An evaluation as flat name → number, for a tracking server: every name has three parts, as in `loo.model.hit_rate`.

Tracking servers allow no `@` in names: `hit_rate@5` becomes `hit_rate_at_5`. The ends of 95 % intervals are figures of
their own: `loo.model.hit_rate_ci_low`, `…_ci_high`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def scalars(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return every single figure of `evaluation.json` that was measured.

    Besides VARIANT.ARM.METRIC there are VARIANT.ARM.lead_METRIC and …p_METRIC (the model less that arm, and the
    adjusted p-value), VARIANT.ARM.ece, and VARIANT.candidates.NAME with the recall of candidate generation.
    """
    found = {}
    for variant, result in evaluation["variants"].items():
        for source, name, value in _figures(result):
            if value is not None:
                found[f"{variant}.{source}.{name.replace('@', '_at_')}"] = float(value)
    return found


def _figures(result: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None]]:
    for arm, metrics in result["arms"].items():
        for metric, figure in metrics.items():
            yield arm, metric, figure["value"]
            yield from _interval(arm, metric, figure)
    for arm, metrics in result["paired"].items():
        for metric, found in metrics.items():
            yield arm, f"lead_{metric}", found["difference"]
            yield from _interval(arm, f"lead_{metric}", found)
            yield arm, f"p_{metric}", found["p_holm"]
    for arm, found in result["calibration"].items():
        yield arm, "ece", found["ece"]
    candidates = result["candidates"]
    yield "candidates", "mean", candidates["mean"]
    yield "candidates", "recall", candidates["recall"]
    for generator, found in candidates["by_generator"].items():
        yield "candidates", f"recall_{generator}", found["recall"]


def _interval(arm: str, metric: str, figure: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None]]:
    low, high = figure.get("ci95", (None, None))  # how much of the catalogue is shown has none
    yield arm, f"{metric}_ci_low", low
    yield arm, f"{metric}_ci_high", high
