"""What the live model is held against: figures of the last good champion, or of its own first people, and the limits.

A reference is told by answers too, so a limit stands where the reference's figure may well lie, as far on the lenient
side as `reference_alpha` says, and a tolerance further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from configs import Settings
from configs.home import read_json, write_json
from configs.settings import MonitoringSettings
from monitoring.experiments.effects import per_person, ratio
from monitoring.watch.figures import FIGURES, Figure, Seen, Yardstick, observe
from monitoring.watch.reading import Answers, Place

MOST_AFFINITIES = 2_000
SMALLEST = 1e-3
"""A limit this near to 0 or 1 could not be crossed, or by a single observation."""


@dataclass(frozen=True)
class Held:
    """One figure of the reference: its value, standard error, and the limit for the live model."""

    value: float
    error: float
    limit: float


@dataclass(frozen=True)
class Reference:
    """What the live model is held against.

    Attributes:
        of: registry version. people, answers: whom and how many it rests on.
        last: the place of its newest answer. first_at, last_at: unix seconds by the service's clock.
        figures: by name; those of which it tells nothing are missing.
        yardstick: what single answers are measured by.
    """

    of: str
    people: int
    answers: int
    first_at: float
    last: Place
    figures: Mapping[str, Held]
    yardstick: Yardstick


def make_reference(of: str, answers: Answers, settings: MonitoringSettings) -> Reference:
    """Return what answers tell, cut to whole blocks."""
    watch = settings.watch
    whole = answers.part(0, len(answers) // watch.block * watch.block)
    yardstick = _yardstick(whole, settings)
    figures: dict[str, Held] = {}
    for figure in FIGURES:
        seen = observe(figure, whole, yardstick, block=watch.block, run=watch.run)
        held = _held(figure, seen, settings)
        if held is not None:
            figures[figure.name] = held
    last = whole.place(len(whole) - 1) if len(whole) else Place(0.0)
    first = float(whole.at[0]) if len(whole) else 0.0
    return Reference(of, len(set(whole.units)), len(whole), first, last, figures, yardstick)


def reference_path(settings: Settings, name: str) -> Path:
    """Return where a reference is kept: it does not move while the model serves, whatever is recorded meanwhile."""
    return settings.work.reports / "monitor" / f"reference-{name}.json"


def keep(path: Path, reference: Reference) -> None:
    """Write a reference."""
    yardstick = {"slow_ms": reference.yardstick.slow_ms, "affinities": reference.yardstick.affinities.tolist()}
    write_json(path, asdict(reference) | {"yardstick": yardstick})


def kept(path: Path) -> Reference | None:
    """Return the reference in a file; None without one."""
    content: dict[str, Any] | None = read_json(path)
    if content is None:
        return None
    told = content["yardstick"]
    content["yardstick"] = Yardstick(told["slow_ms"], np.array(told["affinities"], dtype=np.float64))
    content["figures"] = {name: Held(**held) for name, held in content["figures"].items()}
    return Reference(**(content | {"last": Place(**content["last"])}))


def _yardstick(answers: Answers, settings: MonitoringSettings) -> Yardstick:
    p99 = float(np.percentile(answers.latency_ms, 99)) if len(answers) else 0.0
    slow = max(settings.guardrails.latency_p99_ms, p99 * (1 + settings.watch.tolerance.latency))
    known = np.sort(answers.affinity[np.isfinite(answers.affinity)])
    if known.size > MOST_AFFINITIES:
        known = np.quantile(known, np.linspace(0, 1, MOST_AFFINITIES))
    return Yardstick(slow, known)


def _held(figure: Figure, seen: Seen, settings: MonitoringSettings) -> Held | None:
    """Return a figure and its limit; None if nothing is told, or it is 0 already and cannot become worse."""
    if len(seen) < 2:
        return None
    value, error = float(seen.values.mean()), _error(figure, seen)
    sure = NormalDist().inv_cdf(1 - settings.watch.reference_alpha) * error
    tolerance = settings.watch.tolerance
    limit = {
        "attach_rate": (value - sure) * (1 - tolerance.attach_rate),
        "click_rate": (value - sure) * (1 - tolerance.click_rate),
        "coverage": (value - sure) * (1 - tolerance.coverage),
        "affinity": 0.5 - sure - tolerance.affinity,
        "latency": max(tolerance.slow_share, value + sure),
        "fallback_share": max(settings.guardrails.fallback_share, value + sure) + tolerance.fallback_share,
    }[figure.name]
    return Held(value, error, limit) if SMALLEST <= limit <= 1 - SMALLEST else None


def _error(figure: Figure, seen: Seen) -> float:
    """Return the standard error of the mean: of people, whose own observations are alike, or of runs."""
    if not figure.of_people:
        return float(seen.values.std(ddof=1) / np.sqrt(len(seen)))
    _, unit = np.unique(seen.unit, return_inverse=True)
    sums = per_person(unit.astype(np.int32), np.stack([seen.values, np.ones(len(seen))], axis=1))
    return float(np.sqrt(ratio(sums[:, 0], sums[:, 1]).variance))
