"""What a step of a release has shown so far, out of the system of record."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import func, select

from configs import Settings
from events.record.attribution import with_exposures
from events.record.database import KEYS_AT_A_TIME
from events.record.tables import exposure_lines, exposures
from monitoring.experiments.observed import observe
from monitoring.experiments.reading import Chosen, is_chosen, read_rows
from monitoring.experiments.report import categories_of, shown_by_arm
from monitoring.release.live import Seen
from monitoring.release.shadow import Lists
from training.releasing import CANDIDATE, CONTROL, Release

NEWEST = 20_000
"""Answers of a shadow step that are looked at: by their number alone they tell all that its limits ask for."""


def live_figures(settings: Settings, release: Release, seconds: float) -> Seen:
    """Return what a step with a share has shown, `seconds` after it began.

    Raises:
        ConfigError: the database's URL cannot be used. DataError: the database cannot be read.
    """
    models = {CONTROL: release.champion_package, CANDIDATE: release.package}
    rows = read_rows(settings, Chosen(release.experiment_name, models=models))
    return Seen(observe(rows), shown_by_arm(settings, rows), _answered(settings, release), seconds)


def shadow_lists(settings: Settings, release: Release, seconds: float) -> Lists:
    """Return the newest answers of a shadow step with the shadow's lists.

    Raises:
        ConfigError, DataError: as `live_figures`.
    """
    rows = _newest(settings, release)
    shown = _shown(settings, [row.request_id for row in rows])
    told = [json.loads(row.shadow) if row.shadow else {} for row in rows]
    took = [json.loads(row.shadow_ms) if row.shadow_ms else {} for row in rows]
    listed: list[list[str]] = [lists.get(CANDIDATE, []) for lists in told]
    answered = [shown[row.request_id] for row in rows]
    products = sorted({product for lists in (listed, answered) for one in lists for product in one})
    return Lists(
        unit=_numbered([row.unit for row in rows]),
        latency_ms=np.array([row.latency_ms for row in rows], np.float64),
        tried=np.array([CANDIDATE in lists for lists in told], bool),
        failed=np.array([CANDIDATE in lists and not lists[CANDIDATE] for lists in told], bool),
        shadow_ms=np.array([times.get(CANDIDATE, np.nan) for times in took], np.float64),
        agreement=np.array([_agreement(*pair) for pair in zip(listed, answered, strict=True)], np.float64),
        shown=_counts(products, answered),
        listed=_counts(products, listed),
        category=categories_of(settings, products),
        seconds=seconds,
    )


def _answered(settings: Settings, release: Release) -> dict[str, dict[str, int]]:
    """Return arm → package → answers of the step."""
    group = (exposures.c.experiment_arm, exposures.c.model_version)
    counted = select(*group, func.count()).where(is_chosen(Chosen(release.experiment_name))).group_by(*group)
    found: dict[str, dict[str, int]] = {}
    with with_exposures(settings) as connection:
        for arm, package, answers in [] if connection is None else connection.execute(counted):
            found.setdefault(arm, {})[package] = answers
    return found


def _newest(settings: Settings, release: Release) -> Sequence[Any]:
    """Return rows of the newest answers of the champion."""
    chosen = Chosen(release.experiment_name, models={CONTROL: release.champion_package})
    names = ("request_id", "unit", "latency_ms", "shadow", "shadow_ms")
    newest = select(*(exposures.c[name] for name in names)).where(is_chosen(chosen))
    newest = newest.order_by(exposures.c.at.desc(), exposures.c.request_id).limit(NEWEST)
    with with_exposures(settings) as connection:
        return [] if connection is None else connection.execute(newest).all()


def _shown(settings: Settings, request_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """Return request → products shown, best first."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    columns = (exposure_lines.c.request_id, exposure_lines.c.product_id)
    with with_exposures(settings) as connection:
        for start in range(0, 0 if connection is None else len(request_ids), KEYS_AT_A_TIME):
            some = exposure_lines.c.request_id.in_(request_ids[start : start + KEYS_AT_A_TIME])
            assert connection is not None
            for request_id, product in connection.execute(
                select(*columns).where(some).order_by(exposure_lines.c.request_id, exposure_lines.c.position)
            ):
                found[request_id].append(product)
    return found


def _agreement(listed: Sequence[str], shown: Sequence[str]) -> float:
    return len(set(listed) & set(shown)) / len(listed) if listed and shown else np.nan


def _counts(products: Sequence[str], lists: Sequence[Sequence[str]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    number = {product: place for place, product in enumerate(products)}
    every = np.array([number[product] for one in lists for product in one], np.int64)
    return np.bincount(every, minlength=len(products)).astype(np.int64)


def _numbered(units: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int32]]:
    number: dict[str, int] = {}
    return np.array([number.setdefault(unit, len(number)) for unit in units], np.int32)
