"""Why a product is recommended, in words a shopper can read."""

from __future__ import annotations

import numpy as np

from features.activity import KINDS
from features.context import Context
from features.history import SEPARATOR
from features.lookup import search

JUST_NOW_SECONDS = 600.0
VIEW = KINDS.index("view")
EVERYBODY = "Popular with shoppers right now"

POPULAR = 0.5
"""Of `popularity_lately`: sells at least the square root of what sells most."""

OFTEN = 3
"""Orders that make a habit."""


def reason_for(context: Context, row: int, *, personal: bool, browsed: bool = False) -> str:
    """Return the strongest plain reason for a product row.

    Args:
        context: the request.
        row: the recommended product.
        personal: whether the arm looks at the shopper's own purchases at all.
        browsed: whether it is recommended above all for what the session did lately.
    """
    catalogue = context.products.catalogue
    if browsed and (interest := _interest(context, row)):
        return interest
    if personal and (habit := _habit(context, int(catalogue.keys[row]))):
        return habit
    for links in (context.cosine, context.confidence):
        place = search(links.partner, row)
        if place >= 0:
            return f"Often bought with {catalogue.titles[links.via[place]]} in your cart"
    if not personal or context.products.popularity_lately[row] >= POPULAR:
        return EVERYBODY
    if often := _often(context, row):
        return often
    return "Goes with carts like yours" if context.cart.size else "Picked for you"


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
            return f"{how} {products.catalogue.titles[other]}, which you {_did(context, other)}"
    return None


def _did(context: Context, row: int) -> str:
    newest = context.activity.kind[context.activity.rows == row][-1]
    return "looked at" if newest == VIEW else "had in your cart"


def _habit(context: Context, key: int) -> str | None:
    table = context.shopper.products
    row = search(table.keys, key)
    if row < 0:
        return None
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
