"""What the record holds of an experiment: exposures joined with what came of them, as `events.record.attribution` says.

Rows are only read: asking again gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, true

from configs import Settings
from events.record.attribution import Attribution, ordered, touched, with_exposures
from events.record.tables import exposure_lines, exposures

EXPOSURE_COLUMNS = (
    "request_id",
    "at",
    "unit",
    "experiment_arm",
    "fallback",
    "cart_size",
    "latency_ms",
    "explored",
    "shadow",
)

Row = Sequence[Any]


@dataclass(frozen=True)
class Chosen:
    """Which exposures are asked for: of an experiment or of a model, of any arm; None does not matter.

    Attributes:
        experiment: its name. since, until: unix seconds, both included. model_version: of the package that answered.
        models: arm → version of the package that it was to be answered by; answers of other packages, or to other
            arms, are left out.
    """

    experiment: str | None
    since: float | None = None
    until: float | None = None
    model_version: str | None = None
    models: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Rows:
    """What the record holds of an experiment.

    Attributes:
        exposures: EXPOSURE_COLUMNS, in order of time.
        touched: (request_id, product_id, clicked 0/1, added 0/1), each pair once.
        ordered: (request_id, product_id, quantity, value, margin), each pair once; money of all its lines. What was
            given back is subtracted: of what was wholly given back the quantity is 0.
        shown: (arm, product_id, times shown).
        places: (request_id, position, product_id, propensity) of products that chance could have kept away.
    """

    exposures: list[Row]
    touched: list[Row]
    ordered: list[Row]
    shown: list[Row]
    places: list[Row]


def experiments(settings: Settings) -> list[str]:
    """Return the names of the experiments that anything is recorded of, the one with the newest exposure first.

    Raises:
        ConfigError: the database's URL cannot be used. DataError: the database cannot be read.
    """
    with with_exposures(settings) as connection:
        if connection is None:
            return []
        named = exposures.c.experiment
        newest = select(named).where(named.is_not(None), exposures.c.experiment_arm.is_not(None)).group_by(named)
        return list(connection.execute(newest.order_by(func.max(exposures.c.at).desc(), named)).scalars())


def read_rows(settings: Settings, chosen: Chosen) -> Rows:
    """Return what the record holds of an experiment.

    Raises:
        ConfigError, DataError: as `experiments`.
    """
    with with_exposures(settings) as connection:
        if connection is None:
            return Rows([], [], [], [], [])
        how, wanted = Attribution.of(settings, connection), partial(is_chosen, chosen)
        asked = (_exposures(chosen), touched(how, wanted), ordered(how, wanted), _shown(chosen), _places(chosen))
        found: list[list[Row]] = [[tuple(row) for row in connection.execute(statement)] for statement in asked]
        return Rows(*found)


def read_reached(settings: Settings, chosen: Chosen, window: float) -> tuple[list[Row], list[Row]]:
    """Return `touched` and `ordered` of `Rows`, of what came at most `window` seconds after what was shown.

    Raises:
        ConfigError, DataError: as `experiments`.
    """
    with with_exposures(settings) as connection:
        if connection is None:
            return [], []
        how = replace(Attribution.of(settings, connection), window=window, since=chosen.since, until=chosen.until)
        asked = [query(how, partial(is_chosen, chosen)) for query in (touched, ordered)]
        came, bought = ([tuple(row) for row in connection.execute(statement)] for statement in asked)
        return list(came), list(bought)


def _exposures(chosen: Chosen) -> Select[Any]:
    columns = (exposures.c[name] for name in EXPOSURE_COLUMNS)
    return select(*columns).where(is_chosen(chosen)).order_by(exposures.c.at, exposures.c.request_id)


def _shown(chosen: Chosen) -> Select[Any]:
    pair = (exposures.c.experiment_arm, exposure_lines.c.product_id)
    joined = select(*pair, func.count()).join(exposure_lines, exposure_lines.c.request_id == exposures.c.request_id)
    return joined.where(is_chosen(chosen)).group_by(*pair).order_by(*pair)


def _places(chosen: Chosen) -> Select[Any]:
    names = ("request_id", "position", "product_id", "propensity")
    columns = [exposure_lines.c[name] for name in names]
    joined = select(*columns).join(exposures, exposure_lines.c.request_id == exposures.c.request_id)
    return joined.where(is_chosen(chosen), exposure_lines.c.propensity < 1.0).order_by(*columns[:2])


def is_chosen(chosen: Chosen, rows: Any = exposures) -> Any:
    """Return the condition that rows with the columns of MET are asked for."""
    wanted = []
    if chosen.experiment is not None:
        wanted += [rows.c.experiment == chosen.experiment, rows.c.experiment_arm.is_not(None)]
    if chosen.models is not None:
        meant = chosen.models.items()
        wanted.append(or_(*(and_(rows.c.experiment_arm == arm, rows.c.model_version == made) for arm, made in meant)))
    if chosen.model_version is not None:
        wanted.append(rows.c.model_version == chosen.model_version)
    if chosen.since is not None:
        wanted.append(rows.c.at >= chosen.since)
    if chosen.until is not None:
        wanted.append(rows.c.at <= chosen.until)
    return and_(true(), *wanted)
