"""Which baskets are judged, and what of each is hidden: a pure function of (seed, order id, product id).

The digest makes every split independent of row order, library versions and language, as in the evaluation protocol
that the anchor figures were measured with; on the same data the cases are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from configs import Settings
from configs.errors import DataError
from features.history import History, ingest_record, load_history
from features.windows import Window, cut_windows

Variant = Literal["loo", "hide30"]
"""loo hides one product, hide30 hides 30 % of the basket (at least one)."""

HIDDEN_SHARE: dict[Variant, float] = {"loo": 0.0, "hide30": 0.3}


@dataclass(frozen=True)
class Case:
    """One basket with part of it hidden.

    Attributes:
        order: row of the order in the history. at: unix seconds.
        cart, hidden: int32, disjoint ascending product rows; together the basket's distinct products.
    """

    order: int
    at: int
    cart: NDArray[np.int32]
    hidden: NDArray[np.int32]


@dataclass(frozen=True)
class NamedCase:
    """A case in the shop's own ids, for callers outside this process."""

    order_id: str
    shopper_id: str
    placed_at: int
    cart: list[str]
    hidden: list[str]


def make_cases(history: History, window: Window, *, hidden_share: float, min_products: int, seed: int) -> list[Case]:
    """Return the cases of a window, oldest first.

    Args:
        history: all orders.
        window: orders placed in it are judged.
        hidden_share: share of a basket's distinct products to hide, rounded half up, at least one product.
        min_products: smaller baskets are left out.
        seed: decides what is hidden.
    """
    first, last = np.searchsorted(history.at, [window.start, window.end])
    ids = list(history.catalogue.ids)
    cases = []
    for order in range(int(first), int(last)):
        products = history.products_of(order)
        if products.size < min_products:
            continue
        names = [ids[row] for row in products.tolist()]
        digests = [_digest(seed, history.order_ids[order], name) for name in names]
        by_digest = np.array([place for *_, place in sorted(zip(digests, names, range(len(names)), strict=True))])
        hide = max(1, int(hidden_share * products.size + 0.5))
        cases.append(
            Case(
                order,
                int(history.at[order]),
                np.sort(products[by_digest[hide:]]),
                np.sort(products[by_digest[:hide]]),
            )
        )
    return cases


def require_orders(history: History, window: Window) -> None:
    """Refuse a window in which nobody ordered anything.

    Raises:
        DataError: there is no order in it.
    """
    first, last = np.searchsorted(history.at, [window.start, window.end])
    if first == last:
        cutoff = datetime.fromtimestamp(window.start, UTC)
        raise DataError(
            f"There are no orders after the model's cutoff {cutoff:%Y-%m-%d %H:%M} UTC, so nothing to evaluate on: "
            "choose an earlier cutoff with --as-of DATE, or a later --until, or none."
        )


def held_out_cases(settings: Settings, variant: Variant = "hide30") -> list[NamedCase]:
    """Return the test window's cases in the shop's ids, oldest first.

    Raises:
        NotBuiltError: nothing was ingested yet.
        DataError: no orders lie in the window, or the settings cut it outside the data.
    """
    history = load_history(settings.work.data)
    windows = cut_windows(history, ingest_record(settings.work.data)["timezone"], settings.windows)
    require_orders(history, windows.test)
    ids = list(history.catalogue.ids)
    return [
        NamedCase(
            history.order_ids[case.order],
            history.shopper_ids[history.shopper[case.order]],
            case.at,
            [ids[row] for row in case.cart],
            [ids[row] for row in case.hidden],
        )
        for case in make_cases(
            history,
            windows.test,
            hidden_share=HIDDEN_SHARE[variant],
            min_products=settings.windows.min_basket_products,
            seed=settings.windows.seed,
        )
    ]


def fingerprint(history: History, cases: Sequence[Case]) -> str:
    """Return 16 hex digits that name a set of cases, whatever their order: SHA-256 over sorted, printed cases."""
    ids = list(history.catalogue.ids)
    lines = sorted(
        f"{history.order_ids[case.order]}|{sorted(ids[row] for row in case.cart)}|"
        f"{sorted(ids[row] for row in case.hidden)}\n"
        for case in cases
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def _digest(seed: int, order_id: str, product_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{order_id}:{product_id}".encode(), digest_size=8).digest()
