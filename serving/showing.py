"""What a request is shown: an arm ranks, the business rules choose, chance explores; the next arm where one breaks.

Comes in: what was asked and is known (`Asked`), and the rules over the catalogue of the package that answers. Goes out:
`Shown`. Called by the request path; synchronous, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import structlog
from numpy.typing import NDArray

from features.context import Context
from features.shopper import ShopperState
from serving.budget import Budget
from serving.experiments import Asked, Exploration, Ranked, depth, explore
from serving.ladder import Ladder
from serving.rules import Chosen, CompiledRules, Pool, Situation, choose
from training.recommender import AMOUNTS, Recommendation

log = structlog.get_logger()

FEATURED = "Featured by the shop"
"""The reason of a product that the shop pinned and the arm did not rank."""

LARGEST_POOL = 6_000
"""Products at which looking for more that the rules allow ends."""


class RulesError(Exception):
    """The business rules failed, so that nothing may be shown: what they exclude is not ours to risk."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown.

    Attributes:
        ranked: how it came about. chosen: the products, in order, with what the rules made of their scores.
        items: the same with reasons.
    """

    ranked: Ranked
    chosen: Chosen
    items: Sequence[Recommendation]


def show(asked: Asked, rules: CompiledRules, ladder: Ladder, budget: Budget) -> Shown:
    """Return what the arm asked for shows; if it breaks, there is no time for it, or the rules leave nothing of it,
    the next arm down the ladder.

    Nothing if the rules break.
    """
    first, failed = asked.assigned.ranking, None
    for arm in ladder.down(first, budget):
        if failed is None and arm != first:
            failed = f"{first} over budget"
        try:
            situation = situation_of(asked, rules)
            with ladder.measured(arm):
                shown = _by_arm(arm, failed, asked, rules, situation)
            if shown.items or rules.inert or rules.length(shown.ranked.context, situation, asked.request.k) == 0:
                return shown
            failed = failed or f"the rules let nothing through that {arm} ranks"
        except RulesError as error:
            log.exception("rules failed; nothing is shown", arm=arm, rules=rules.version)
            return _nothing(asked, arm, f"rules failed ({type(error.__cause__).__name__}), so nothing is shown")
        except Exception as error:  # whatever breaks in one arm, the next one answers; the log keeps the cause
            told = ladder.failed(arm, error)
            failed = failed or told
    return _nothing(asked, first, failed)


def situation_of(asked: Asked, rules: CompiledRules) -> Situation:
    """Return what the rules look at, if they ask for anything: as the request tells it, else as the session does.

    Raises:
        RulesError: it cannot be told.
    """
    if rules.inert:
        return Situation()
    try:
        context, session = asked.request.context, asked.known.session
        country = None if context is None else context.country
        if session is not None:
            country = country or session.context.get("country")
        age = None if context is None else context.age
        return Situation.of(asked.checkout_step, country, age, _lines(asked, rules))
    except Exception as error:
        raise RulesError from error


def _lines(asked: Asked, rules: CompiledRules) -> list[tuple[float, float]]:
    """Return (quantity, price per unit) of the cart's lines; a price not told is the catalogue's, NaN if unknown."""
    told: list[tuple[str, float, float | None]] = []
    if asked.request.cart is not None:
        told = [(line.product_id, line.quantity, line.unit_price) for line in asked.request.cart]
    elif asked.known.session is not None:
        session = asked.known.session
        told = [(product, quantity, session.prices.get(product)) for product, quantity in session.cart.items()]
    price, row_of = rules.matrix.price, rules.matrix.row_of
    return [
        (
            quantity,
            paid if paid is not None else math.nan if (row := row_of.get(product)) is None else float(price[row]),
        )
        for product, quantity, paid in told
    ]


def _by_arm(arm: str, failed: str | None, asked: Asked, rules: CompiledRules, situation: Situation) -> Shown:
    """Return what one arm shows; chance has a hand in the arm that was asked for only."""
    model, known, k = asked.model, asked.known, asked.request.k
    plan: Exploration | None = None
    if failed is None and asked.assigned.arm is not None:
        plan = asked.assigned.arm.exploration
    context = model.context(asked.cart, known.shopper, asked.now, known.activity if model.browses(arm) else ())
    chosen = _choose(arm, asked, rules, context, situation, depth(k, plan))
    explored = explore(range(chosen.rows.size), k, plan, asked.request_id)
    ranked = Ranked(arm, failed, model, context, chosen.rows, chosen.scores, explored)
    chosen = _at(chosen, np.array(explored.shown, dtype=np.intp))
    items = model.explain(context, chosen.rows, chosen.scores, arm)
    by_arm = chosen.ranked.tolist()
    items = [item if own else replace(item, reason=FEATURED) for item, own in zip(items, by_arm, strict=True)]
    return Shown(ranked, chosen, items)


def _choose(
    arm: str, asked: Asked, rules: CompiledRules, context: Context, situation: Situation, wanted: int
) -> Chosen:
    """Return what the rules take of the arm's pool; of a larger one where they leave too little of it.

    Raises:
        RulesError: they failed.
    """
    size = rules.pool(wanted)
    while True:
        rows, scores = asked.model.rank(context, size, arm)
        try:
            chosen = choose(rules, context, situation, Pool(rows, scores, arm not in AMOUNTS), wanted)
            enough = chosen.rows.size >= rules.length(context, situation, wanted)
        except Exception as error:
            raise RulesError from error
        if enough or rows.size < size or size >= LARGEST_POOL:
            return chosen
        size *= 4


def _at(chosen: Chosen, places: NDArray[np.intp]) -> Chosen:
    return Chosen(chosen.rows[places], chosen.scores[places], chosen.added[places], chosen.ranked[places])


def _nothing(asked: Asked, arm: str, failed: str | None) -> Shown:
    context = asked.model.context((), ShopperState.empty(), asked.now)
    rows, scores = np.empty(0, dtype=np.int32), np.empty(0)
    ranked = Ranked(arm, failed, asked.model, context, rows, scores, explore(range(0), 1, None, asked.request_id))
    return Shown(ranked, Chosen(rows, scores, scores, np.empty(0, dtype=bool)), [])
