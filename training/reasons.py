"""Why a product is recommended, in words a shopper can read."""

from __future__ import annotations

import numpy as np

from features.activity import KINDS
from features.context import Context

JUST_NOW_SECONDS = 600.0
VIEW = KINDS.index("view")
EVERYBODY = "Popular with shoppers right now"


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
        place, known = links.find(np.array([row], dtype=np.int32))
        if known[0]:
            return f"Often bought with {catalogue.titles[links.via[place[0]]]}"
    return EVERYBODY


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
    place, known = table.find(np.array([key], dtype=np.int64))
    if not known[0]:
        return None
    row, count = place[0], int(table.count[place[0]])
    days = (int(table.last_at[row]) - int(table.first_at[row])) / 86_400 / max(1, count - 1)
    if count < 3 or days < 1:
        return "You have bought this before"
    return f"You usually buy this every {_period(days)}"


def _period(days: float) -> str:
    if days < 11:
        return "day" if days < 1.5 else f"{round(days)} days" if days < 6 or days > 8 else "week"
    weeks = round(days / 7)
    return f"{weeks} weeks" if weeks <= 8 else f"{round(days / 30)} months"
