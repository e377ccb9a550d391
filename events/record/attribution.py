"""What came of what was shown: clicks, adds and orders put down to exposures. All SQL of attribution stands here.

A click or an add is what came of the exposure that its `request_id` names, if that showed the product. Without one it
is put down to the newest exposure of its session that showed the product (last touch), and so is a line of an order,
except that an exposure the product was added from goes before a newer one it was not added from. With any touch, each
exposure of the session that showed the product counts, beside the one that is named: what adds up over exposures then
counts several times.

Nothing counts longer than the attribution window after the exposure. What was given back is subtracted from the order:
all of it by a refund without products, else the quantities of the products it names, of each at most what was ordered;
money goes by the same share. Rows are only read: asking again gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Subquery,
    Table,
    and_,
    case,
    false,
    func,
    inspect,
    literal,
    or_,
    select,
    true,
    union,
)

from configs import Settings
from events.record.reading import opened
from events.record.tables import (
    exposure_lines,
    exposures,
    order_lines,
    orders,
    outcome_lines,
    outcomes,
    refund_lines,
    refunds,
)

CLICK, ADD = "click", "add"

MET = ("request_id", "at", "experiment", "experiment_arm", "model_version")

Wanted = Callable[[Any], ColumnElement[bool]]
"""Says of rows that have the columns MET which exposures are asked for."""


@dataclass(frozen=True)
class Attribution:
    """How outcomes are put down to exposures.

    Attributes:
        window: seconds after an exposure in which something counts as having come of it.
        touch: whether only the last exposure that showed a product counts, or any.
        known_before: what was received later (unix seconds) is as if it had never been told; None: all counts.
        since, until: exposures are asked for in this time only (unix seconds, both included), so that less is joined.
        returns: whether what was given back is subtracted. A record that no recorder of this version opened yet knows
            of none.
    """

    window: float
    touch: Literal["last", "any"] = "last"
    known_before: float | None = None
    returns: bool = True
    since: float | None = None
    until: float | None = None

    @classmethod
    def of(cls, settings: Settings, connection: Connection, known_before: float | None = None) -> Attribution:
        """Return what the settings say, for what a record holds."""
        watched, returns = settings.monitoring, inspect(connection).has_table(refunds.name)
        return cls(watched.attribution_minutes * 60, watched.attribution_touch, known_before, returns)

    def near(self, at: ColumnElement[float]) -> ColumnElement[bool]:
        """Say of moments whether what happened then can have come of an exposure that is asked for."""
        after = true() if self.since is None else at >= self.since
        return after if self.until is None else and_(after, at <= self.until + self.window)

    def knows(self, told: Table) -> ColumnElement[bool]:
        """Say of rows with `received_at` whether they count."""
        return true() if self.known_before is None else told.c.received_at < self.known_before


@contextmanager
def with_exposures(settings: Settings) -> Iterator[Connection | None]:
    """Yield a connection to read from; None while no exposure has ever been recorded.

    Raises:
        ConfigError: the database's URL cannot be used. DataError: the database cannot be read.
    """
    with opened(settings) as connection:
        known = connection is not None and inspect(connection).has_table(exposures.name)
        yield connection if known else None


def touched(how: Attribution, wanted: Wanted) -> Select[Any]:
    """Select (request_id, product_id, clicked 0/1, added 0/1), each pair once, in order."""
    touches = _touches(how)
    kinds = (func.max(case((touches.c.kind == kind, 1), else_=0)) for kind in (CLICK, ADD))
    pair = (touches.c.request_id, touches.c.product_id)
    joined = select(*pair, *kinds).join(exposures, exposures.c.request_id == touches.c.request_id)
    return joined.where(wanted(exposures)).group_by(*pair).order_by(*pair)


def ordered(how: Attribution, wanted: Wanted) -> Select[Any]:
    """Select (request_id, product_id, quantity, value, margin), each pair once, in order; money of all its lines.

    What was given back is subtracted: a quantity of 0 was ordered and wholly given back.
    """
    added = _touches(how)
    added_from = select(added.c.request_id, added.c.product_id).where(added.c.kind == ADD).distinct().subquery()
    met = _met(orders, "order_id", "placed_at", how.window, how.knows(orders), how.near(orders.c.placed_at))
    rank = func.row_number().over(
        partition_by=(order_lines.c.order_id, order_lines.c.line),
        order_by=(case((added_from.c.request_id.is_not(None), 0), else_=1), met.c.at.desc(), met.c.request_id.desc()),
    )
    price = func.coalesce(order_lines.c.unit_price, exposure_lines.c.price, 0.0)
    kept = _kept(how) if how.returns else _all_kept()
    share = func.coalesce(kept.c.share, 1.0)
    candidates = (
        select(
            *(met.c[name] for name in MET),
            order_lines.c.product_id,
            (share * order_lines.c.quantity).label("quantity"),
            (share * (order_lines.c.quantity * price - order_lines.c.discount)).label("value"),
            (share * order_lines.c.quantity * func.coalesce(exposure_lines.c.worth, 0.0)).label("margin"),
            rank.label("place"),
        )
        .select_from(met)
        .join(order_lines, order_lines.c.order_id == met.c.order_id)
        .join(exposure_lines, _showed(met, order_lines))
        .outerjoin(
            added_from,
            and_(added_from.c.request_id == met.c.request_id, added_from.c.product_id == order_lines.c.product_id),
        )
        .outerjoin(kept, and_(kept.c.order_id == met.c.order_id, kept.c.product_id == order_lines.c.product_id))
        .subquery()
    )
    sums = (func.sum(candidates.c[name]) for name in ("quantity", "value", "margin"))
    pair = (candidates.c.request_id, candidates.c.product_id)
    ours = select(*pair, *sums).where(_counts(how, candidates), wanted(candidates))
    return ours.group_by(*pair).order_by(*pair)


def _touches(how: Attribution) -> Subquery:
    """Select (kind, request_id, product_id): what was clicked or added, and the exposure that it is put down to."""
    told = and_(outcomes.c.kind.in_((CLICK, ADD)), how.knows(outcomes))
    named = (
        select(outcomes.c.kind, exposures.c.request_id, outcome_lines.c.product_id)
        .select_from(outcomes)
        .join(exposures, exposures.c.request_id == outcomes.c.request_id)
        .join(outcome_lines, outcome_lines.c.message_id == outcomes.c.message_id)
        .join(exposure_lines, _showed(exposures, outcome_lines))
        # A page's clock may be behind ours: what names an exposure came after it, whatever the clocks say.
        .where(told, exposures.c.at >= outcomes.c.at - how.window)
    )
    without_name = outcomes.c.request_id.is_(None) if how.touch == "last" else true()
    met = _met(outcomes, "message_id", "at", how.window, told, without_name, how.near(outcomes.c.at))
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
    last = select(newest.c.kind, newest.c.request_id, newest.c.product_id).where(_counts(how, newest))
    return union(named, last).subquery()


def _kept(how: Attribution) -> Subquery:
    """Select (order_id, product_id, share): which share of a product was kept, of orders with refunds."""
    bought = (
        select(order_lines.c.order_id, order_lines.c.product_id, func.sum(order_lines.c.quantity).label("quantity"))
        .where(order_lines.c.order_id.in_(select(refunds.c.order_id)))
        .group_by(order_lines.c.order_id, order_lines.c.product_id)
        .subquery()
    )
    back = (
        select(refunds.c.order_id, refund_lines.c.product_id, refund_lines.c.quantity)
        .select_from(refunds)
        .outerjoin(refund_lines, refund_lines.c.message_id == refunds.c.message_id)
        .where(how.knows(refunds))
        .subquery()
    )
    whole, returned = func.count(back.c.order_id) > func.count(back.c.product_id), func.sum(back.c.quantity)
    share = case(
        (or_(whole, returned >= bought.c.quantity), 0.0), else_=1.0 - returned / func.nullif(bought.c.quantity, 0.0)
    )
    of_it = and_(
        back.c.order_id == bought.c.order_id,
        or_(back.c.product_id.is_(None), back.c.product_id == bought.c.product_id),
    )
    return (
        select(bought.c.order_id, bought.c.product_id, share.label("share"))
        .select_from(bought)
        .join(back, of_it)
        .group_by(bought.c.order_id, bought.c.product_id, bought.c.quantity)
        .subquery()
    )


def _all_kept() -> Subquery:
    return (
        select(order_lines.c.order_id, order_lines.c.product_id, literal(1.0).label("share")).where(false()).subquery()
    )


def _counts(how: Attribution, ranked: Subquery) -> ColumnElement[bool]:
    return ranked.c.place == 1 if how.touch == "last" else true()


def _met(what: Table, key: str, at: str, window: float, *conditions: Any) -> CTE:
    """Select (key, *MET) of `what` and the exposures of its session that came shortly before it.

    Materialized, so that sessions, which tell most apart, are what is joined first, and never the products.
    """
    before = and_(exposures.c.session_id == what.c.session_id, exposures.c.at.between(what.c[at] - window, what.c[at]))
    met = select(what.c[key], *(exposures.c[name] for name in MET)).select_from(what).join(exposures, before)
    return met.where(*conditions).cte(f"{what.name}_met").prefix_with("MATERIALIZED")


def _showed(exposure: FromClause, lines: Table) -> ColumnElement[bool]:
    return and_(exposure_lines.c.request_id == exposure.c.request_id, exposure_lines.c.product_id == lines.c.product_id)
