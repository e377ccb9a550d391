"""An experiment's report: read, compared, and written to `var/reports/experiment.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs import Settings
from configs.errors import ConfigError
from configs.home import read_json, write_json
from configs.moments import moment
from configs.provenance import provenance
from monitoring.experiments.comparison import ArmFigures, Comparison, Plan, Shown, compare
from monitoring.experiments.effects import Effect
from monitoring.experiments.exploration import Learned, learn
from monitoring.experiments.observed import Observed, observe
from monitoring.experiments.reading import Chosen, Rows, experiments, read_rows


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        experiment: None: the one with the newest exposure. since: unix seconds; None: from its beginning.
        control: None: the arm that the settings name.
        shares: planned share of people by arm; empty: the same for all arms that were seen.
    """

    experiment: str | None = None
    since: float | None = None
    control: str | None = None
    shares: Mapping[str, float] | None = None


def report_path(settings: Settings) -> Path:
    """Return the file of the newest report."""
    return settings.work.reports / "experiment.json"


def write_report(settings: Settings, question: Question) -> dict[str, Any] | None:
    """Write the report of an experiment and return it; None, and nothing is written, while no exposure is recorded.

    Raises:
        ConfigError: the experiment or the control is not among those recorded, or the record's URL cannot be used.
        DataError: the record cannot be read.
    """
    known = experiments(settings)
    name = question.experiment or next(iter(known), None)
    if name is None:
        return None
    if known and name not in known:
        raise ConfigError(f"No exposure of an experiment {name!r} is recorded; there are some of {', '.join(known)}.")
    rows = read_rows(settings, Chosen(name, question.since))
    if not rows.exposures:
        return None
    seen = observe(rows)
    plan = _plan(settings, question, seen)
    found = compare(seen, shown_by_arm(settings, rows), plan, settings.monitoring)
    learned = learn(rows, seen, settings.monitoring)
    report = provenance("tillwise experiment report", _fingerprint(settings))
    report |= _document(settings, name, seen, found, learned)
    report["since"] = None if question.since is None else moment(question.since)
    report["shares_told"] = bool(question.shares)
    report["other_experiments"] = [one for one in known if one != name]
    write_json(report_path(settings), report)
    return report


def _plan(settings: Settings, question: Question, seen: Observed) -> Plan:
    shares = question.shares or dict.fromkeys(seen.arms, 1 / len(seen.arms))
    strange = sorted(set(seen.arms) - set(shares))
    if strange:
        raise ConfigError(
            f"Arm {strange[0]!r} was shown, but no share of it is told; tell one of each of {', '.join(seen.arms)}."
        )
    control = question.control or settings.monitoring.control_arm
    if control not in shares:
        raise ConfigError(
            f"No arm is called {control!r}: the experiment has {', '.join(sorted(shares))}. Name the one that the "
            "others are compared with by --control or the setting monitoring.control_arm."
        )
    return Plan(control, shares)


def shown_by_arm(settings: Settings, rows: Rows) -> Shown:
    """Return how often each arm showed each product, and the products' categories."""
    products = sorted({row[1] for row in rows.shown})
    number = {product: index for index, product in enumerate(products)}
    times = {row[0]: np.zeros(len(products), dtype=np.int64) for row in rows.shown}
    for arm, product, count in rows.shown:
        times[arm][number[product]] = count
    return Shown(times, categories_of(settings, products))


def categories_of(settings: Settings, products: list[str]) -> NDArray[np.int32] | None:
    """Return each product's leaf category, int32[products], -1 unknown; None if no catalogue was ingested."""
    if not (settings.work.data / "products.parquet").exists():
        return None
    from features.history import load_catalogue

    catalogue = load_catalogue(settings.work.data)
    leaf = dict(zip(catalogue.ids, catalogue.levels.leaf.tolist(), strict=True))
    return np.array([leaf.get(product, -1) for product in products], dtype=np.int32)


def _fingerprint(settings: Settings) -> str:
    record = read_json(settings.work.data / "ingest.json")
    return "no data set ingested" if record is None else str(record["fingerprint"])


def _document(
    settings: Settings, name: str, seen: Observed, found: Comparison, learned: Mapping[str, Learned]
) -> dict[str, Any]:
    watched = settings.monitoring
    document: dict[str, Any] = _plain(
        {
            "experiment": name,
            "first_exposure_at": moment(seen.at.min()),
            "last_exposure_at": moment(seen.at.max()),
            "requests": len(seen),
            "people": seen.people,
            "people_in_several_arms": seen.astray,
            "control": found.control,
            "attribution_minutes": watched.attribution_minutes,
            "alpha": watched.alpha,
            "split": {
                "people": {arm: figures.people for arm, figures in found.arms.items()},
                "expected": found.expected,
                "p": found.split_p,
                "trusted": found.split_p >= watched.mismatch_p,
            },
            "arms": {arm: _arm(figures, found) for arm, figures in found.arms.items()},
            "exploration": {arm: asdict(one) for arm, one in learned.items()},
            "clip": watched.clip,
        }
    )
    return document


def _arm(figures: ArmFigures, found: Comparison) -> dict[str, Any]:
    metrics = {
        name: {"value": one.value, "ci95": one.interval, "effect": _effect(figures.effects[name], found.alpha)}
        for name, one in figures.metrics.items()
    }
    rails = {name: asdict(rail) for name, rail in figures.guardrails.items()}
    return {"people": figures.people, "requests": figures.requests, "metrics": metrics, "guardrails": rails}


def _effect(change: Effect | None, alpha: float) -> dict[str, Any] | None:
    if change is None:
        return None
    verdict = "no difference shown"
    if change.p <= alpha:
        verdict = "higher" if change.absolute > 0 else "lower"
    return {
        "absolute": change.absolute,
        "ci95": change.interval,
        "relative": change.relative,
        "relative_ci95": change.relative_interval,
        "always_valid": change.always,
        "p": change.p,
        "verdict": verdict,
    }


def _plain(value: Any) -> Any:
    """Return the value as JSON knows it: no number that is not finite, lists for tuples."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
