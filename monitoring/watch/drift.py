"""Whether inputs and scores are still distributed as when the model was new, by Evidently, and whether they are whole.

A model's answers show products of its own choice, so that their features say as much of the model as of the world.
Therefore a model is compared with its own first people, never with another model's.

Of many people a column has drifted if its Wasserstein distance, in standard deviations of the reference, reaches
`distance`: a p-value would call every slightest difference significant. Of fewer the distance is mostly noise, and the
Kolmogorov-Smirnov test counts, its level shared out among all columns (Bonferroni). Inputs have drifted if enough of
their columns have. Each look takes people who came since the one before, so that looking often tests nobody twice.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from configs.home import replace_file
from configs.watching import DriftSettings
from monitoring.watch.inputs import NAMES, Floats, Inputs

LEAST = 30
"""Known values that a column must have on both sides to be compared."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        test, value, threshold: how it was compared: a distance or a p-value; value is None if it could not be.
        drifted: whether it has. missing_before, missing: share of values that are not known.
        outside: share of the known ones below the least or above the largest of the reference.
    """

    test: str
    value: float | None
    threshold: float
    drifted: bool
    missing_before: float
    missing: float
    outside: float


@dataclass(frozen=True)
class Drift:
    """All columns; share of those compared that drifted, and whether that is enough; what is amiss with values."""

    columns: Mapping[str, Column]
    share: float
    drifted: bool
    quality: Sequence[str]


def compare_inputs(live: Inputs, reference: Inputs, settings: DriftSettings, report: Path) -> Drift:
    """Return how inputs differ from those of the reference, and write Evidently's HTML report of what moved most."""
    able = [
        name
        for column, name in enumerate(NAMES)
        if min(_known(live.values, column).size, _known(reference.values, column).size) >= LEAST
    ]
    large = min(len(live.values), len(reference.values)) >= settings.large
    test = "wasserstein" if large else "ks"
    threshold = settings.distance if large else settings.alpha / max(1, len(able))
    values = _scores(live, reference, able, test, threshold)
    columns = {
        name: _column(live.values[:, number], reference.values[:, number], values.get(name), test, threshold)
        for number, name in enumerate(NAMES)
    }
    share = sum(column.drifted for column in columns.values()) / max(1, len(able))
    worst = sorted(able, key=values.__getitem__, reverse=large)[: settings.shown]
    if worst:
        _write(live, reference, worst, (test, threshold, settings.share), report)
    return Drift(columns, share, share >= settings.share, _quality(columns, settings.quality))


def _column(live: Floats, reference: Floats, value: float | None, test: str, threshold: float) -> Column:
    known, before = live[np.isfinite(live)], reference[np.isfinite(reference)]
    drifted = value is not None and (value >= threshold if test == "wasserstein" else value < threshold)
    outside = float(((known < before.min()) | (known > before.max())).mean()) if known.size and before.size else 0.0
    missing = (float(np.isnan(reference).mean()), float(np.isnan(live).mean()))
    return Column(test, value, threshold, drifted, *missing, outside)


def _quality(columns: Mapping[str, Column], most: float) -> list[str]:
    found = []
    for name, column in columns.items():
        if column.missing - column.missing_before > most:
            found.append(f"{name} is missing in {column.missing:.0%} of answers, {column.missing_before:.0%} before")
        if column.outside > most:
            found.append(f"{name} is outside the range it had before in {column.outside:.0%} of answers")
    return found


def _scores(live: Inputs, reference: Inputs, names: Sequence[str], test: str, threshold: float) -> dict[str, float]:
    """Return each column's distance or p-value by Evidently's tests, without the plots that its metrics draw."""
    with _quiet():
        from evidently.legacy.calculations.stattests import ks_stat_test, wasserstein_stat_test
        from evidently.legacy.core import ColumnType
        from pandas import Series

        judge = wasserstein_stat_test if test == "wasserstein" else ks_stat_test
        found = {}
        for name in names:
            before, now = (Series(_known(one.values, NAMES.index(name))) for one in (reference, live))
            found[name] = float(judge(before, now, ColumnType.Numerical, threshold).drift_score)
        return found


def _write(live: Inputs, reference: Inputs, names: Sequence[str], how: tuple[str, float, float], path: Path) -> None:
    """Write Evidently's report of some columns: drawing all of them would take many times as long."""
    test, threshold, share = how
    with _quiet():
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset
        from pandas import DataFrame

        definition = DataDefinition(numerical_columns=list(names))
        sides = [
            Dataset.from_pandas(DataFrame(one.values, columns=list(NAMES))[list(names)], definition)
            for one in (live, reference)
        ]
        preset = DataDriftPreset(columns=list(names), num_method=test, num_threshold=threshold, drift_share=share)
        done = Report([preset]).run(*sides)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as partial:
            done.save_html(str(partial))


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Evidently's imports, and of statistics on constant columns
        logging.getLogger("evidently").setLevel(logging.ERROR)
        yield


def _known(values: Floats, column: int) -> Floats:
    known: Floats = values[np.isfinite(values[:, column]), column]
    return known
