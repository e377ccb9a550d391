"""Who comes to shop: real held-out baskets, each visit by a newcomer. Pure but for what reads the data."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs import Settings
from configs.errors import DataError
from features.history import load_history
from pipelines.shopping import Basket, checkout_of, line_up, rfc3339
from pipelines.traffic.behaviour import Deed, Market, Offer
from training.protocol import held_out_cases

SECONDS_BETWEEN_EVENTS = 5.0
NEVER_SOLD = 1e-9
"""Below any number of orders: a floor for a quotient."""


@dataclass(frozen=True)
class Visit:
    """A simulated shopper's visit with the cart of a real one.

    Attributes:
        name: session and anonymous id, new in every run: each visitor is a person of their own, without a past.
        seed: of this visitor's behaviour. cart: product ids. hidden: what the real shopper bought as well.
    """

    name: str
    seed: str
    cart: Sequence[str]
    hidden: frozenset[str]

    @property
    def who(self) -> dict[str, Any]:
        """Ids and context of each call."""
        return {"anonymousId": self.name, "context": {"sessionId": self.name}}

    def arrival(self, now: float) -> dict[str, Any]:
        """Return the body of POST /v1/batch that fills the cart and starts the checkout, the last event now."""
        return self._batch(list(checkout_of(self.cart)), 1, now, SECONDS_BETWEEN_EVENTS)

    def question(self, k: int) -> dict[str, Any]:
        """Return the body of POST /v1/recommendations, as the checkout page sends it."""
        lines = [{"product_id": product, "quantity": 1} for product in self.cart]
        return {"session_id": self.name, "cart": lines, "k": k, "checkout_step": 1}

    def departure(self, request_id: str, offers: Sequence[Offer], done: Sequence[Deed], now: float) -> dict[str, Any]:
        """Return the body of POST /v1/batch that tells what was clicked and added, and the order, all of it now."""
        names = {"click": "Product Clicked", "add": "Product Added"}
        named = [
            (names[deed.kind], {"request_id": request_id, "position": deed.place + 1} | _line(offers[deed.place]))
            for deed in done
        ]
        added = [offers[deed.place] for deed in done if deed.kind == "add"]
        products = [{"product_id": product, "quantity": 1} for product in self.cart] + [_line(offer) for offer in added]
        order = ("Order Completed", {"order_id": f"{self.name}-order", "products": products})
        return self._batch([*named, order], 2 * len(self.cart) + 3, now, 0.0)

    def _batch(self, named: Sequence[tuple[str, Any]], first: int, now: float, seconds: float) -> dict[str, Any]:
        return {"batch": line_up(named, self.who, first, now, seconds), "sentAt": rfc3339(now)}


@dataclass(frozen=True)
class Crowd:
    """Those who may come: their baskets, and what all of them know of products."""

    baskets: Sequence[Basket]
    market: Market


def crowd_of(settings: Settings) -> Crowd:
    """Return the people of the test window.

    Raises:
        NotBuiltError: nothing was ingested yet.
        DataError: the test window holds no basket that is large enough.
    """
    return Crowd(baskets_of(settings), market_of(settings))


def plan_visits(baskets: Sequence[Basket], count: int, seed: int, run_id: str) -> Iterator[Visit]:
    """Yield the visits in the order in which they come.

    Args:
        baskets: all that there are, at least one; more visits than baskets take each again, in another order.
        count: how many. seed: of order and behaviour. run_id: part of every name.
    """
    chance = random.Random(seed)
    deck: list[Basket] = []
    for number in range(count):
        if not deck:
            deck = chance.sample(list(baskets), len(baskets))
        basket = deck.pop()
        name = f"simulated-{run_id}-{number}"
        yield Visit(name, f"{seed}-{number}", sorted(basket.cart), frozenset(basket.hidden))


def baskets_of(settings: Settings) -> Sequence[Basket]:
    """Return the test window's baskets, 30 % of each hidden.

    Raises:
        NotBuiltError: nothing was ingested yet.
        DataError: the test window holds no basket that is large enough.
    """
    baskets = held_out_cases(settings, "hide30")
    if not baskets:
        raise DataError(
            f"No basket of the test window has {settings.windows.min_basket_products} products or more, so there is "
            "nobody to simulate: lengthen TILLWISE_WINDOWS__TEST_DAYS or bring more orders."
        )
    return baskets


def market_of(settings: Settings) -> Market:
    """Return what the recorded orders say of products: the mean price paid, and how often each sold.

    Raises:
        NotBuiltError: nothing was ingested yet.
    """
    history = load_history(settings.work.data)
    size = len(history.catalogue)
    sold = np.bincount(history.product, minlength=size)
    paid = np.bincount(history.product, weights=history.unit_price, minlength=size) / np.maximum(sold, NEVER_SOLD)
    share = sold / max(int(sold.max(initial=0)), 1)
    rows = np.flatnonzero(sold).tolist()
    ids = history.catalogue.ids
    return Market({ids[row]: float(paid[row]) for row in rows}, {ids[row]: float(share[row]) for row in rows})


def _line(offer: Offer) -> dict[str, Any]:
    price = {} if offer.price is None else {"price": offer.price}
    return {"product_id": offer.product_id, "quantity": 1} | price
