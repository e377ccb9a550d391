"""Everything a feature may look at for one request: products in memory, the shopper, the cart and the moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from configs.settings import FeatureSettings
from features.activity import NOTHING, RecentActivity
from features.cards import Card, cards_of
from features.compiled import compiled
from features.cooccurrence import Cooccurrence, Neighbours
from features.encoder import Encoder, Floats, age_in_days, newest_purchases
from features.history import Catalogue
from features.lately import Lately
from features.lookup import KeyIndex, distinct, locate
from features.own_baskets import OwnBaskets, own_baskets
from features.products import ProductStats
from features.rows import RowOf
from features.shopper import ShopperState
from features.texts import Texts, text_column
from features.top import top_rows


@dataclass(frozen=True)
class ProductMatrix:
    """The product side of a model: held in memory, frozen at the model's cutoff.

    Attributes:
        catalogue: ids, keys and descriptions. stats: one row a product. together: co-occurrence partners.
        features: decays and bounds that the state was built with.
        encoder: of requests, over the same rows; None until one is fitted.
    """

    catalogue: Catalogue
    stats: ProductStats
    together: Cooccurrence
    features: FeatureSettings
    encoder: Encoder | None = None

    @cached_property
    def price(self) -> NDArray[np.float32]:
        """float32[products], price level from orders, else the list price; NaN if neither is known."""
        return np.where(np.isnan(self.stats.price), self.catalogue.price, self.stats.price)

    @cached_property
    def worth(self) -> NDArray[np.float32]:
        """float32[products], what selling one earns: its margin, as far as margins are known.

        A product without a known margin has its price times the usual share of margin in price, the median of those
        known; where the shop tells no margins, worth is the price. An unknown price counts as the usual one: neither
        free nor priceless.
        """
        known = self.price[self.price > 0]
        price = np.where(self.price > 0, self.price, np.median(known) if known.size else np.float32(1.0))
        told = ~np.isnan(self.catalogue.margin)
        share = self.catalogue.margin[told] / price[told]
        return np.where(told, self.catalogue.margin, price * (np.median(share) if share.size else 1.0)).astype(
            np.float32
        )

    @cached_property
    def cards(self) -> Lately[int, Card]:
        """What answers tell of products, by row."""
        return cards_of(self.catalogue, self.price)

    @cached_property
    def row_of(self) -> RowOf:
        """Row of each product id."""
        return RowOf(self.catalogue.ids, self.key_index)

    @cached_property
    def by_popularity(self) -> NDArray[np.int32]:
        """int32[products], rows by decayed popularity, highest first."""
        return np.argsort(-self.stats.popularity, kind="stable").astype(np.int32)

    @cached_property
    def orders_lately(self) -> NDArray[np.float32]:
        """float32[products], orders of anybody, decayed fast; 0 if it never sold."""
        # The trend is the ratio of two rates per day: this undoes it.
        days = self.features.trend_half_life_days / self.features.popularity_half_life_days
        orders: NDArray[np.float32] = np.nan_to_num(self.stats.popularity * self.stats.trend * days)
        return orders

    @cached_property
    def popularity_lately(self) -> NDArray[np.float32]:
        """float32[products] in [0, 1], orders of anybody, decayed fast, on a log scale; 1 is what sells most."""
        scale = np.log1p(self.orders_lately)
        share: NDArray[np.float32] = (scale / max(float(scale.max(initial=0.0)), 1e-9)).astype(np.float32)
        return share

    @cached_property
    def category_popularity(self) -> NDArray[np.float32]:
        """float32[leaf categories], decayed orders summed over a category's products."""
        return np.bincount(self.catalogue.levels.leaf, weights=self.stats.popularity).astype(np.float32)

    @cached_property
    def key_index(self) -> KeyIndex:
        """Finds rows by the products' keys."""
        return KeyIndex.of(self.catalogue.keys)

    @cached_property
    def searched(self) -> tuple[Texts, Texts]:
        """Titles and ids in lower case, those of the product that sells most first: what words are looked for in."""
        order = pa.array(self.by_popularity)
        columns = (text_column(texts).combine_chunks() for texts in (self.catalogue.titles, self.catalogue.ids))
        titles, ids = (pa.chunked_array([pc.utf8_lower(column.take(order))]) for column in columns)
        return Texts(titles), Texts(ids)

    @cached_property
    def slot(self) -> NDArray[np.int32]:
        """int32[products], scratch of kernels that number products; all 0 between two calls."""
        return np.zeros(len(self.catalogue), dtype=np.int32)

    @cached_property
    def totals(self) -> NDArray[np.float64]:
        """float64[products], scratch of kernels that add up by product; all 0 between two calls."""
        return np.zeros(len(self.catalogue))

    def rows(self, products: Iterable[str]) -> NDArray[np.int32]:
        """Return the ascending, distinct rows of the known ones among product ids, int32."""
        return distinct(self.row_of.known(products))

    def rows_of_keys(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the row of each key, int32[keys]; -1 where the catalogue has no such product."""
        return self.key_index.find(keys)


@dataclass(frozen=True)
class Links:
    """Products that are bought together with anything in the cart; one row a product, ascending.

    Attributes:
        partner: int32[n] row of the linked product.
        total, strongest: float32[n], sum and maximum of the weights over the cart's products.
        via: int32[n], the cart product (row) behind the strongest weight; of equals the first.
        count: int32[n], cart products that link to it.
    """

    partner: NDArray[np.int32]
    total: NDArray[np.float32]
    strongest: NDArray[np.float32]
    via: NDArray[np.int32]
    count: NDArray[np.int32]

    def find(self, products: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Locate products: (row, known), `row` being valid to index but meaningless where not known."""
        return locate(self.partner, products)


def link(neighbours: Neighbours, cart: NDArray[np.int32], slot: NDArray[np.int32]) -> Links:
    """Return what `cart` (ascending distinct rows) links to; `slot` is the scratch of `ProductMatrix`."""
    # Sorted before there is anything beside it that would have to be brought into the same order.
    partner = np.sort(_linked(neighbours.start, neighbours.partner, cart, slot))
    total, strongest = np.zeros(partner.size, np.float32), np.zeros(partner.size, np.float32)
    via, count = np.empty(partner.size, np.int32), np.zeros(partner.size, np.int32)
    _weigh(neighbours.start, neighbours.partner, neighbours.weight, cart, slot, partner, total, strongest, via, count)
    return Links(partner, total, strongest, via, count)


@compiled
def _linked(
    start: NDArray[np.int64], partner: NDArray[np.int32], cart: NDArray[np.int32], slot: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return the distinct partners of the cart's products."""
    most = 0
    for product in cart:
        most += start[product + 1] - start[product]
    linked = np.empty(most, np.int32)
    found = 0
    for product in cart:
        for pair in range(start[product], start[product + 1]):
            if slot[partner[pair]] == 0:
                slot[partner[pair]] = 1
                linked[found] = partner[pair]
                found += 1
    for place in range(found):
        slot[linked[place]] = 0
    return linked[:found]


@compiled
def _weigh(
    start: NDArray[np.int64],
    partner: NDArray[np.int32],
    weight: NDArray[np.float32],
    cart: NDArray[np.int32],
    slot: NDArray[np.int32],
    linked: NDArray[np.int32],
    total: NDArray[np.float32],
    strongest: NDArray[np.float32],
    via: NDArray[np.int32],
    count: NDArray[np.int32],
) -> None:
    """Fill in what `Links` says of the linked products, `total`, `strongest` and `count` being 0 so far."""
    for place in range(linked.size):
        slot[linked[place]] = place
    for product in cart:
        for pair in range(start[product], start[product + 1]):
            place = slot[partner[pair]]
            total[place] += weight[pair]
            count[place] += 1
            if weight[pair] > strongest[place] or count[place] == 1:
                strongest[place], via[place] = weight[pair], product
    for row in linked:
        slot[row] = 0


@dataclass(frozen=True)
class Context:
    """One request, ready for candidate generation and features.

    Attributes:
        products: the model's product side. shopper: state from completed orders.
        cart: int32, ascending distinct product rows. now: unix seconds to rank for.
        activity: what the session did lately; nothing where there is no session, as in batch and in training.
    """

    products: ProductMatrix
    shopper: ShopperState
    cart: NDArray[np.int32]
    now: float
    activity: RecentActivity = NOTHING

    @cached_property
    def cosine(self) -> Links:
        """What the cart links to by cosine."""
        return link(self.products.together.cosine, self.cart, self.products.slot)

    @cached_property
    def confidence(self) -> Links:
        """What the cart links to by confidence."""
        return link(self.products.together.confidence, self.cart, self.products.slot)

    @cached_property
    def bought(self) -> NDArray[np.int32]:
        """int32, the product row of each line of the shopper's newest baskets; -1 where the catalogue has no such."""
        return self.products.rows_of_keys(self.shopper.baskets.products)

    @cached_property
    def product_rate(self) -> NDArray[np.float64]:
        """float64, the decayed rate of each of the shopper's products now, in the order of their table."""
        return self.shopper.products.at(self.now, self.products.features.repeat_half_life_days)

    @cached_property
    def product_rows(self) -> NDArray[np.int32]:
        """int32, the row of each of the shopper's products, in the order of their table; -1 if there is none."""
        return self.products.rows_of_keys(self.shopper.products.keys)

    @cached_property
    def usual(self) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """What the shopper usually buys: (product rows, decayed orders of each), the most frequent ones."""
        best = top_rows(self.product_rate, self.products.features.usual_products)
        rows = self.product_rows[best]
        return rows[rows >= 0], self.product_rate[best][rows >= 0]

    @cached_property
    def encoded(self) -> Floats:
        """The request as the encoder's vector, float32[d]; empty without an encoder."""
        encoder = self.products.encoder
        if encoder is None:
            return np.empty(0, dtype=np.float32)
        rows, at = newest_purchases(self.shopper.baskets, self.bought, encoder.history)
        known = rows >= 0
        return encoder.encode(self.cart, rows[known], age_in_days(self.now, at[known]), self.now)

    @cached_property
    def own_baskets(self) -> OwnBaskets:
        """What the shopper's own newest baskets say of the cart."""
        matrix = self.products
        return own_baskets(
            self.shopper.baskets,
            self.bought,
            matrix.catalogue.levels.leaf,
            self.cart,
            now=self.now,
            half_life_days=matrix.features.basket_half_life_days,
            slot=matrix.slot,
        )
