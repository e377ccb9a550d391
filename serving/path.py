"""The request path: decode → read state → cart → rank → explain → answer. One function, readable top to bottom."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from configs.moments import moment
from configs.settings import ServingSettings
from features.activity import Action
from features.context import ProductMatrix
from features.shopper import ShopperState
from serving.admission import Admission
from serving.budget import Budget
from serving.clock import Clock
from serving.ladder import Ladder, step_of, why
from serving.schema import Fallback, Item, RecommendationAnswer, RecommendationRequest, Status
from serving.state import Known, StateReader
from training.recommender import ARMS, Recommendation, Recommender

WARM_ROUNDS = 3


class RequestError(Exception):
    """A request that cannot be answered as it stands."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@runtime_checkable
class Answering(Protocol):
    """What the routes ask: the engine, or its stand-in while there is no model."""

    async def answer(self, request: RecommendationRequest, budget: Budget) -> RecommendationAnswer:
        """See `Engine`."""

    async def status(self, door: Admission) -> Status:
        """See `Engine`."""


@dataclass(frozen=True)
class Engine:
    """What a worker needs to answer: the model, the state, the time, and what to do when there is little of it."""

    recommender: Recommender
    state: StateReader
    clock: Clock
    limits: ServingSettings
    ladder: Ladder = field(default_factory=Ladder)

    async def answer(self, request: RecommendationRequest, budget: Budget) -> RecommendationAnswer:
        """Return the recommendations for a request in time; degraded, and saying so, rather than late or none.

        Raises:
            RequestError: the request breaks a limit or names nobody.
        """
        check(request, self.limits)
        now = self.clock() if request.at is None else request.at.timestamp()
        known = await self.state.read(request.session_id, request.shopper_id, now, budget)
        cart = cart_of(request, list(known.session.cart) if known.session else [])
        ranked, arm, failed = self._rank(cart, known, now, request, budget)
        step = step_of(known.step, request.arm, arm, empty=failed is not None and not ranked)
        trouble = "; ".join(reason for reason in (known.missing, failed) if reason)
        return RecommendationAnswer(
            request_id=uuid.uuid4().hex,
            model_version=self.recommender.package.version,
            arm=arm,
            items=[item_of(self.recommender.package.matrix, item) for item in ranked],
            fallback=Fallback(arm, trouble, step) if step else None,
        )

    async def status(self, door: Admission) -> Status:
        """Return what serves, and how it is."""
        package = self.recommender.package
        return Status(
            model_version=package.version,
            arms=list(ARMS),
            products=len(package.products),
            as_of=moment(package.as_of),
            now=moment(self.clock()),
            redis=await self.state.answers(),
            breaker=self.state.breaker,
            in_flight=door.inside,
            shed=door.shed,
        )

    def warm(self) -> None:
        """Rank with every arm, so that no request pays for first-time work and what each costs is known."""
        ids, now = self.recommender.package.products.ids, self.clock()
        seen: list[Action] = [(product, now, "view") for product in ids[3:4]]
        for arm in ARMS:
            self.recommender.recommend(ids[:3], ShopperState.empty(), now, 5, arm, activity=seen)
            for _ in range(WARM_ROUNDS):
                with self.ladder.measured(arm):
                    self.recommender.recommend(ids[:3], ShopperState.empty(), now, 5, arm, activity=seen)

    def _rank(
        self, cart: Sequence[str], known: Known, now: float, request: RecommendationRequest, budget: Budget
    ) -> tuple[list[Recommendation], str, str | None]:
        """Return (recommendations, the arm that made them, why it is not the one asked for)."""
        failed = None
        for arm in self.ladder.down(request.arm, budget):
            try:
                with self.ladder.measured(arm):
                    found = self.recommender.recommend(
                        cart, known.shopper, now, request.k, arm, activity=known.activity
                    )
                return found, arm, why(request.arm, arm, failed)
            except Exception as error:  # whatever breaks in one arm, the next one answers; the log keeps the cause
                told = self.ladder.failed(arm, error)
                failed = failed or told
        return [], request.arm, failed


def item_of(matrix: ProductMatrix, found: Recommendation) -> Item:
    """Return a recommended product with what the catalogue knows of it."""
    row = matrix.row_of[found.product_id]
    price = float(matrix.price[row])
    return Item(
        product_id=found.product_id,
        title=matrix.catalogue.titles[row],
        category=matrix.catalogue.categories[row],
        price=None if math.isnan(price) else round(price, 2),
        score=round(found.score, 5),
        reason=found.reason,
    )


def check(request: RecommendationRequest, limits: ServingSettings) -> None:
    """Check what the types cannot.

    Raises:
        RequestError: names the field, what was found and what is allowed.
    """
    if request.session_id is None and request.shopper_id is None and request.cart is None:
        raise RequestError("body", "names nobody: give session_id, shopper_id or cart")
    if request.arm not in ARMS:
        raise RequestError("arm", f"is {request.arm!r}, expected one of {', '.join(ARMS)}")
    if request.k > limits.max_k:
        raise RequestError("k", f"is {request.k}, at most {limits.max_k} items are given")
    if request.cart is not None and len(request.cart) > limits.max_cart:
        raise RequestError("cart", f"has {len(request.cart)} lines, at most {limits.max_cart} are taken")
    if request.at is not None and request.at.tzinfo is None:
        raise RequestError("at", "has no time zone: end it with Z or an offset such as +02:00")


def cart_of(request: RecommendationRequest, session_cart: list[str]) -> list[str]:
    """Return the product ids in the cart: the request's if it tells them, else the session's."""
    return session_cart if request.cart is None else [line.product_id for line in request.cart]
