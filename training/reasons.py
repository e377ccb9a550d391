"""Why a product is recommended, in words a shopper can read."""

from __future__ import annotations

import numpy as np

from features.context import Context


def reason_for(context: Context, row: int, *, personal: bool) -> str:
    """Return the strongest plain reason for a product row.

    Args:
        context: the request.
        row: the recommended product.
        personal: whether the arm looks at the shopper's own purchases at all.
    """
    catalogue = context.products.catalogue
    if personal and (habit := _habit(context, int(catalogue.keys[row]))):
        return habit
    for links in (context.cosine, context.confidence):
        place, known = links.find(np.array([row], dtype=np.int32))
        if known[0]:
            return f"Often bought with {catalogue.titles[links.via[place[0]]]}"
    return "Popular with shoppers right now"


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
