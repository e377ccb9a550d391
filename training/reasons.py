"""Why a product is recommended, in words a shopper can read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.activity import KINDS
from features.context import Context
from features.history import SEPARATOR
from features.lookup import search
from features.rates import RateTable

JUST_NOW_SECONDS = 600.0
VIEW = KINDS.index("view")
EVERYBODY = "Popular with shoppers right now"

POPULAR = 0.5
"""Of `popularity_lately`: sells at least the square root of what sells most."""

OFTEN = 3
"""Orders that make a habit."""


def reason_for(context: Context, row: int, *, personal: bool, browsed: bool = False) -> str:
    """Return the strongest plain reason for one product row; see `reasons_for`."""
    rows = np.array([row], dtype=np.int32)
    return reasons_for(context, rows, personal=personal, browsed=np.array([browsed]))[0]


def reasons_for(context: Context, rows: NDArray[np.int32], *, personal: bool, browsed: NDArray[np.bool_]) -> list[str]:
    """Return the strongest plain reason for each product row.

    Args:
        context: the request. rows: int32[n], the recommended products.
        personal: whether the arm looks at the shopper's own purchases at all.
        browsed: bool[n], whether each is recommended above all for what the session did lately.
    """
    together, own = _together(context, rows), np.full(rows.size, -1)
    if personal:
        place, known = context.shopper.products.find(context.products.catalogue.keys[rows])
        own = np.where(known, place, -1)
    ways = zip(rows.tolist(), browsed.tolist(), own.tolist(), together.tolist(), strict=True)
    return [_reason(context, row, personal, interest, habit, via) for row, interest, habit, via in ways]


def _reason(context: Context, row: int, personal: bool, browsed: bool, habit: int, via: int) -> str:
    """Return a product's reason; `habit`: its place among the shopper's own, `via`: the cart product, -1: none."""
    if browsed and (interest := _interest(context, row)):
        return interest
    if habit >= 0:
        return _habit(context.shopper.products, habit)
    if via >= 0:
        return f"Often bought with {context.products.cards[via].title} in your cart"
    if not personal or context.products.popularity_lately[row] >= POPULAR:
        return EVERYBODY
    if often := _often(context, row):
        return often
    return "Goes with carts like yours" if context.cart.size else "Picked for you"


def _together(context: Context, rows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return int64[rows], the cart product that each is bought together with most; -1 if there is none."""
    via = np.full(rows.size, -1)
    for links in (context.confidence, context.cosine):
        place, known = links.find(rows)
        via[known] = links.via[place[known]]
    return via


def _interest(context: Context, row: int) -> str | None:
    """Return what recent activity has to do with the product: itself, a partner or its category, the newest first."""
    activity, products = context.activity, context.products
    if (own := np.flatnonzero(activity.rows == row)).size:
        if activity.kind[own[-1]] != VIEW:
            return "You had this in your cart"
        return (
            f"You looked at this {'just now' if context.now - activity.at[own[-1]] <= JUST_NOW_SECONDS else 'earlier'}"
        )
    seen = activity.newest_first
    seen = seen[~np.isin(seen, context.cart)]  # what goes with the cart has a reason of its own
    partner, _, origin = products.together.cosine.rows(seen)
    leaf = products.catalogue.levels.leaf
    for how, found in (("Goes with", origin[partner == row]), ("More like", np.flatnonzero(leaf[seen] == leaf[row]))):
        if found.size:
            other = int(seen[found.min()])
            return f"{how} {products.cards[other].title}, which you {_did(context, other)}"
    return None


def _did(context: Context, row: int) -> str:
    newest = context.activity.kind[context.activity.rows == row][-1]
    return "looked at" if newest == VIEW else "had in your cart"


def _habit(table: RateTable, row: int) -> str:
    count = int(table.count[row])
    days = (int(table.last_at[row]) - int(table.first_at[row])) / 86_400 / max(1, count - 1)
    if count < OFTEN or days < 1:
        return "You have bought this before"
    return f"You usually buy this every {_period(days)}"


def _often(context: Context, row: int) -> str | None:
    """Return that the shopper often buys from the product's category."""
    catalogue, table = context.products.catalogue, context.shopper.categories
    place = search(table.keys, int(catalogue.category_keys[row]))
    name = catalogue.categories[row].rpartition(SEPARATOR)[2]
    return f"From {name}, which you often buy" if place >= 0 and name and table.count[place] >= OFTEN else None


def _period(days: float) -> str:
    if days < 11:
        return "day" if days < 1.5 else f"{round(days)} days" if days < 6 or days > 8 else "week"
    weeks = round(days / 7)
    return f"{weeks} weeks" if weeks <= 8 else f"{round(days / 30)} months"
