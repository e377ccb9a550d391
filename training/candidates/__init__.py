"""Which products are worth ranking for a request: the union of small, fast generators.

Comes in: a `Context`. Goes out: int32 product rows, distinct, never from the cart, never out of stock. Called by the
recommender for each request, and by the training set builder over history.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from configs.settings import CandidateSettings
from features.context import Context
from features.lookup import distinct, locate
from training.candidates import cooccurrence, history, neural, popular, session, unsold

GENERATORS = {
    "cooccurrence": cooccurrence.generate,
    "history": history.generate,
    "popular": popular.generate,
    "neural": neural.generate,
    "unsold": unsold.generate,
}
"""Name, as in the settings' `candidates` section → generator. These are what the models learn from and rank."""


def generate(context: Context, limits: CandidateSettings, *, browsing: bool = False) -> NDArray[np.int32]:
    """Return the union of all generators' candidates, ascending distinct product rows.

    Args:
        context: the request. limits: how many each generator may contribute.
        browsing: whether what the session did lately brings candidates too, for arms that score it.
    """
    found = [make(context, getattr(limits, name)) for name, make in GENERATORS.items()]
    if browsing:
        found.append(session.generate(context, limits.session))
    rows = distinct(np.concatenate(found))
    return rows[eligible(context, rows)]


def eligible(context: Context, rows: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which rows may be recommended at all: in stock and not in the cart."""
    in_cart = locate(context.cart, rows)[1]
    allowed: NDArray[np.bool_] = context.products.catalogue.in_stock[rows] & ~in_cart
    return allowed


__all__ = ["GENERATORS", "eligible", "generate"]
