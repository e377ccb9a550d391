"""What is known of a person, in readable form, and erasing it. For operators: not in the request path."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import redis.asyncio as redis
from numpy.typing import NDArray

from configs import Settings
from configs.errors import DataError, PartError
from configs.moments import moment
from events.broker_erasers import broker_erasers
from events.brokers import Broker
from events.contract import Line
from events.erasure import Eraser, Receipt, forget
from events.record.forgetting import RecordEraser
from events.record.reading import ids_of_person
from events.redis_erasers import LogEraser, ProfileEraser, TrainingEraser
from events.session import SessionRecord, activity_of, decode_record, session_key, state_of
from events.shopper import CompletedOrder, Person, ask, decode_person, read_person
from features.context import ProductMatrix
from features.erasure import FeatureEraser
from features.live_orders import with_live_orders
from features.online import ShopperReader
from features.rates import RateTable
from features.shopper import ShopperState
from serving.clock import Clock
from serving.models import Models
from serving.schema import Habit, Profile, ProfileActivity, ProfileLine, ProfileOrder, SessionProfile, ShopperProfile

MOST_HABITS = 10
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class _Found:
    """What Redis holds under an id."""

    session: SessionRecord | None
    person: Person
    state: ShopperState

    @property
    def known(self) -> bool:
        return self.session is not None or self.state.orders > 0 or bool(self.person.orders) or len(self.person.ids) > 1


class Profiles:
    """Reads and erases profiles.

    Args:
        settings: which Redis, which record. models: the champion's catalogue names products, categories and brands.
        clock: the service's. broker: through which events come.
        erasers: further places that keep something of people.
    """

    def __init__(
        self, settings: Settings, models: Models, clock: Clock, broker: Broker, erasers: Sequence[Eraser] = ()
    ) -> None:
        self._settings, self._models, self._clock = settings, models, clock
        self._erasing: set[asyncio.Task[Receipt]] = set()
        self._stay = settings.events.longest_stay_seconds
        self._shoppers = ShopperReader()
        # Any: redis-py's types admit no bytes as keys, which Feast's are.
        self._redis: Any = redis.Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_SECONDS)
        self._erasers: tuple[Eraser, ...] = (
            # Redis knows which ids are one person: it comes after what may fail, so that a wish made again finds them.
            *erasers,
            RecordEraser(settings),
            *broker_erasers(settings, broker, self._redis),
            ProfileEraser(self._redis),
            FeatureEraser(self._redis),
            TrainingEraser(self._redis, settings.work.suppressed),
            LogEraser(self._redis),
        )

    @property
    def _matrix(self) -> ProductMatrix:
        return self._models.champion.matrix

    async def read(self, an_id: str) -> Profile | None:
        """Return what is known under the id of a session or a shopper; None if nothing is."""
        found = await self._find(an_id)
        if not found.known:
            return None
        session = None if found.session is None else self._session(an_id, found.session)
        known = found.state.orders > 0 or found.person.orders or len(found.person.ids) > 1
        return Profile(an_id, session, self._shopper(found) if known else None)

    async def erase(self, an_id: str) -> Receipt:
        """Erase the person with an id, under all ids that are known to be theirs, and return the receipt.

        An id that is not known is erased too: something of it may be under way, or kept elsewhere. Once begun it goes
        on, even if whoever asked does not wait for the answer.

        Raises:
            RedisError, OSError, PartError: a place does not answer; the wish is to be made again.
        """
        erasing = asyncio.ensure_future(self._erase(an_id))
        self._erasing.add(erasing)
        erasing.add_done_callback(self._erasing.discard)
        return await asyncio.shield(erasing)

    async def close(self) -> None:
        """Finish erasing, and release the connections."""
        await asyncio.gather(*self._erasing, return_exceptions=True)
        await self._redis.aclose()

    async def _erase(self, an_id: str) -> Receipt:
        found = await self._find(an_id)
        ids = {an_id, *found.person.ids}
        if found.session is not None:
            state = state_of(found.session, an_id)
            ids |= {state.shopper_id or an_id, *state.anonymous_ids}
        try:  # it remembers links for longer than Redis does
            ids = await asyncio.to_thread(ids_of_person, self._settings, ids)
        except DataError as error:
            raise PartError(str(error)) from None
        return await forget(self._redis, self._erasers, sorted(ids), self._clock())

    async def _find(self, an_id: str) -> _Found:
        record = _readable(await self._redis.get(session_key(an_id)))
        told = None if record is None else state_of(record, an_id)
        who = an_id if told is None else told.shopper_id or next(reversed(told.anonymous_ids), an_id)
        (reply,) = await ask(self._redis, lambda pipe: read_person(pipe, who))
        person = decode_person(reply)
        async with self._redis.pipeline(transaction=False) as pipe:
            for other in dict.fromkeys((who, *person.ids)):
                pipe.execute_command("HMGET", self._shoppers.key(other), *self._shoppers.fields)
            states = [self._shoppers.decode(row) for row in await pipe.execute()]
        state = states[0] if states[0].orders else max(states, key=lambda one: one.orders)
        return _Found(record, person, with_live_orders(state, person.orders, self._matrix, self._clock()))

    def _session(self, session_id: str, record: SessionRecord) -> SessionProfile:
        state = state_of(record, session_id)
        return SessionProfile(
            session_id=session_id,
            shopper_id=state.shopper_id,
            anonymous_ids=list(state.anonymous_ids),
            first_event_at=moment(state.first_event_at),
            last_event_at=moment(state.last_event_at),
            cart=self._lines(
                Line(product, quantity, state.prices.get(product), state.discounts.get(product, 0.0))
                for product, quantity in state.cart.items()
            ),
            cart_value=round(state.value, 2),
            cart_discount=round(state.discount, 2),
            checkout_step=state.checkout_step,
            context=state.context,
            activity=[
                ProfileActivity(moment(x.at), x.what, x.product_id, self._title(x.product_id), x.quantity, x.seconds)
                for x in activity_of(record, self._stay)
            ],
            order_ids=list(state.orders),
        )

    def _shopper(self, found: _Found) -> ShopperProfile:
        state, catalogue = found.state, self._matrix.catalogue
        return ShopperProfile(
            shopper_id=found.person.root,
            ids=list(found.person.ids),
            orders=state.orders,
            first_order_at=moment(state.first_at) if state.orders else None,
            last_order_at=moment(state.last_at) if state.orders else None,
            segment=state.segment(self._clock()),
            mean_basket_value=_number(state.mean_basket_value),
            mean_basket_products=_number(state.mean_basket_products),
            mean_unit_price=_number(state.mean_unit_price),
            discount_share=_number(state.discount_share),
            categories=self._habits(state.categories, catalogue.category_keys, catalogue.categories),
            brands=self._habits(state.brands, catalogue.brand_keys, catalogue.brands),
            recent_orders=[self._order(order) for order in found.person.orders],
        )

    def _habits(self, rates: RateTable, keys: NDArray[np.int64], names: Sequence[str]) -> list[Habit]:
        """Return the strongest rows of a table by the names that the catalogue has for them."""
        rate = rates.at(self._clock(), self._matrix.features.repeat_half_life_days)
        order = np.argsort(keys, kind="stable")
        found = []
        for row in np.argsort(-rate, kind="stable")[:MOST_HABITS].tolist():
            place = int(np.searchsorted(keys, rates.keys[row], sorter=order))
            if place < order.size and keys[order[place]] == rates.keys[row]:
                found.append(Habit(names[int(order[place])], round(float(rate[row]), 3)))
        return found

    def _order(self, order: CompletedOrder) -> ProfileOrder:
        lines = self._lines(order.lines)
        return ProfileOrder(order.order_id, moment(order.at), order.channel, order.value, order.discount, lines)

    def _lines(self, lines: Iterable[Line]) -> list[ProfileLine]:
        return [ProfileLine(x.product_id, self._title(x.product_id), x.quantity, x.price, x.discount) for x in lines]

    def _title(self, product_id: str) -> str:
        row = self._matrix.row_of.get(product_id)
        return "" if row is None else self._matrix.catalogue.titles[row]


def _readable(raw: bytes | None) -> SessionRecord | None:
    try:
        return None if raw is None else decode_record(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # nobody can read it; erasing its id erases it


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
