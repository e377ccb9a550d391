"""Exposures joined with what came of them, out of the system of record. All SQL of experiments stands here.

A click or an add is what came of the exposure that its `request_id` names, if that showed the product. Without one it
is put down to the newest exposure of its session that showed the product (last touch), and so is a line of an order,
except that an exposure the product was added from goes before a newer one it was not added from. Nothing counts
longer than the attribution window after the exposure. Rows are only read: asking again gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    FromClause,
    Select,
    Subquery,
    Table,
    and_,
    case,
    func,
    inspect,
    or_,
    select,
    true,
    union,
)

from configs import Settings
from events.record.reading import opened
from events.record.tables import exposure_lines, exposures, order_lines, orders, outcome_lines, outcomes

CLICK, ADD = "click", "add"

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

MET = ("request_id", "at", "experiment", "experiment_arm", "model_version")

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
        ordered: (request_id, product_id, quantity, value, margin), each pair once; money of all its lines.
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
    window = settings.monitoring.attribution_minutes * 60
    asked = (_exposures(chosen), _touched(chosen, window), _ordered(chosen, window), _shown(chosen), _places(chosen))
    with with_exposures(settings) as connection:
        if connection is None:
            return Rows([], [], [], [], [])
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
        asked = (_touched(chosen, window), _ordered(chosen, window))
        found: list[list[Row]] = [[tuple(row) for row in connection.execute(statement)] for statement in asked]
        return found[0], found[1]


def _exposures(chosen: Chosen) -> Select[Any]:
    columns = (exposures.c[name] for name in EXPOSURE_COLUMNS)
    return select(*columns).where(is_chosen(chosen)).order_by(exposures.c.at, exposures.c.request_id)


def _touched(chosen: Chosen, window: float) -> Select[Any]:
    """Select (request_id, product_id, clicked, added)."""
    touches = _touches(window, chosen)
    kinds = (func.max(case((touches.c.kind == kind, 1), else_=0)) for kind in (CLICK, ADD))
    pair = (touches.c.request_id, touches.c.product_id)
    joined = select(*pair, *kinds).join(exposures, exposures.c.request_id == touches.c.request_id)
    return joined.where(is_chosen(chosen)).group_by(*pair).order_by(*pair)


def _ordered(chosen: Chosen, window: float) -> Select[Any]:
    """Select (request_id, product_id, quantity, value, margin)."""
    added = _touches(window, chosen)
    added_from = select(added.c.request_id, added.c.product_id).where(added.c.kind == ADD).distinct().subquery()
    met = _met(orders, "order_id", "placed_at", window, *_near(chosen, orders.c.placed_at, window))
    rank = func.row_number().over(
        partition_by=(order_lines.c.order_id, order_lines.c.line),
        order_by=(case((added_from.c.request_id.is_not(None), 0), else_=1), met.c.at.desc(), met.c.request_id.desc()),
    )
    price = func.coalesce(order_lines.c.unit_price, exposure_lines.c.price, 0.0)
    candidates = (
        select(
            *(met.c[name] for name in MET),
            order_lines.c.product_id,
            order_lines.c.quantity,
            (order_lines.c.quantity * price - order_lines.c.discount).label("value"),
            (order_lines.c.quantity * func.coalesce(exposure_lines.c.worth, 0.0)).label("margin"),
            rank.label("place"),
        )
        .select_from(met)
        .join(order_lines, order_lines.c.order_id == met.c.order_id)
        .join(exposure_lines, _showed(met, order_lines))
        .outerjoin(
            added_from,
            and_(added_from.c.request_id == met.c.request_id, added_from.c.product_id == order_lines.c.product_id),
        )
        .subquery()
    )
    sums = (func.sum(candidates.c[name]) for name in ("quantity", "value", "margin"))
    pair = (candidates.c.request_id, candidates.c.product_id)
    ours = select(*pair, *sums).where(candidates.c.place == 1, is_chosen(chosen, candidates))
    return ours.group_by(*pair).order_by(*pair)


def _touches(window: float, chosen: Chosen) -> Subquery:
    """Select (kind, request_id, product_id): what was clicked or added, and the exposure that it is put down to."""
    told = outcomes.c.kind.in_((CLICK, ADD))
    named = (
        select(outcomes.c.kind, exposures.c.request_id, outcome_lines.c.product_id)
        .select_from(outcomes)
        .join(exposures, exposures.c.request_id == outcomes.c.request_id)
        .join(outcome_lines, outcome_lines.c.message_id == outcomes.c.message_id)
        .join(exposure_lines, _showed(exposures, outcome_lines))
        # A page's clock may be behind ours: what names an exposure came after it, whatever the clocks say.
        .where(told, exposures.c.at >= outcomes.c.at - window)
    )
    near = _near(chosen, outcomes.c.at, window)
    met = _met(outcomes, "message_id", "at", window, told, outcomes.c.request_id.is_(None), *near)
    rank = func.row_number().over(
        partition_by=(outcome_lines.c.message_id, outcome_lines.c.line),
        order_by=(met.c.at.desc(), met.c.request_id.desc()),
    )
    newest = (
        select(outcomes.c.kind, met.c.request_id, outcome_lines.c.product_id, rank.label("place"))
        .select_from(met)
        .join(outcomes, outcomes.c.message_id == met.c.message_id)
        .join(outcome_lines, outcome_lines.c.message_id == met.c.message_id)
        .join(exposure_lines, _showed(met, outcome_lines))
        .subquery()
    )
    last = select(newest.c.kind, newest.c.request_id, newest.c.product_id).where(newest.c.place == 1)
    return union(named, last).subquery()


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


def _near(chosen: Chosen, at: Any, window: float) -> list[Any]:
    """Return conditions that leave out what can have come of none of the chosen exposures, so that less is joined."""
    after = [] if chosen.since is None else [at >= chosen.since]
    return after if chosen.until is None else [*after, at <= chosen.until + window]


def _met(what: Table, key: str, at: str, window: float, *conditions: Any) -> CTE:
    """Select (key, *MET) of `what` and the exposures of its session that came shortly before it.

    Materialized, so that sessions, which tell most apart, are what is joined first, and never the products.
    """
    before = and_(exposures.c.session_id == what.c.session_id, exposures.c.at.between(what.c[at] - window, what.c[at]))
    met = select(what.c[key], *(exposures.c[name] for name in MET)).select_from(what).join(exposures, before)
    return met.where(*conditions).cte(f"{what.name}_met").prefix_with("MATERIALIZED")


def _showed(exposure: FromClause, lines: Table) -> Any:
    return and_(exposure_lines.c.request_id == exposure.c.request_id, exposure_lines.c.product_id == lines.c.product_id)


@contextmanager
def with_exposures(settings: Settings) -> Iterator[Connection | None]:
    """Yield a connection to read from; None while no exposure has ever been recorded."""
    with opened(settings) as connection:
        known = connection is not None and inspect(connection).has_table(exposures.name)
        yield connection if known else None
