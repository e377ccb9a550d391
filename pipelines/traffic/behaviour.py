"""How a simulated shopper behaves before a list of recommendations. Pure: the same chance gives the same behaviour."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from configs.settings import BehaviourSettings


@dataclass(frozen=True)
class Offer:
    """A product as it is shown; `price` as the page tells it, None if it tells none."""

    product_id: str
    price: float | None = None


@dataclass(frozen=True)
class Deed:
    """What a shopper does with the product at a place (from 0) of the list."""

    place: int
    kind: Literal["click", "add"]


@dataclass(frozen=True)
class Market:
    """What shoppers know of products, by id: what people paid, and how often they bought, as a share of the best."""

    paid: Mapping[str, float]
    popularity: Mapping[str, float]


def deeds(
    offers: Sequence[Offer], wanted: Set[str], market: Market, behaviour: BehaviourSettings, chance: random.Random
) -> Iterator[Deed]:
    """Yield what a shopper does, from the top of the list on.

    Args:
        offers: as shown. wanted: products that the real shopper bought. market: of all products.
        behaviour: the chances. chance: drawn from five times at most a place, so that runs can be repeated.
    """
    for place, offer in enumerate(offers):
        if place and chance.random() >= behaviour.patience:
            return
        if _is_added(offer, wanted, market, behaviour, chance):
            yield Deed(place, "click")
            yield Deed(place, "add")
        elif chance.random() < behaviour.curiosity:
            yield Deed(place, "click")


def _is_added(
    offer: Offer, wanted: Set[str], market: Market, behaviour: BehaviourSettings, chance: random.Random
) -> bool:
    merit = behaviour.take if offer.product_id in wanted else 0.0
    luck = behaviour.impulse * market.popularity.get(offer.product_id, 0.0)
    paid = market.paid.get(offer.product_id)
    too_dear = offer.price is not None and paid is not None and offer.price > behaviour.dear * paid
    drawn = chance.random()  # also where nothing can come of it, so that one price changes nothing else
    return not too_dear and drawn < merit + (1 - merit) * luck
