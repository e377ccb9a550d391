"""The request path: decode → read state → cart → rank → explain → answer. One function, readable top to bottom."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from configs.settings import ServingSettings
from features.activity import Action
from features.shopper import ShopperState
from serving.answers import RecentAnswers
from serving.clock import Clock
from serving.schema import Fallback, Item, RecommendationAnswer, RecommendationRequest
from serving.state import Known, StateReader
from training.recommender import ARMS, FALLBACKS, Recommendation, Recommender

log = structlog.get_logger()

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Moments that are ranked for: beyond them calendars end."""


class RequestError(Exception):
    """A request that cannot be answered as it stands."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True)
class Engine:
    """What a worker needs to answer: the model, the state and the time."""

    recommender: Recommender
    state: StateReader
    clock: Clock
    limits: ServingSettings
    recent: RecentAnswers

    async def answer(self, request: RecommendationRequest) -> RecommendationAnswer:
        """Return the recommendations for a request; degraded, and saying so, rather than none.

        Raises:
            RequestError: the request breaks a limit or names nobody.
        """
        check(request, self.limits)
        now = self.clock() if request.at is None else request.at.timestamp()
        known = await self.state.read(request.session_id, request.shopper_id, now)
        name, recent = self.recent.find(request, known, self.recommender.package.version)
        if recent is not None:
            return recent
        cart = cart_of(request, list(known.session.cart) if known.session else [])
        ranked, arm, failed = self._rank(cart, known, now, request)
        trouble = "; ".join(reason for reason in (known.missing, failed) if reason)
        answer = RecommendationAnswer(
            request_id=uuid.uuid4().hex,
            model_version=self.recommender.package.version,
            arm=arm,
            items=[self._item(item) for item in ranked],
            fallback=Fallback(arm, trouble) if trouble else None,
        )
        return self.recent.keep(name, answer)

    def warm(self) -> None:
        """Rank once with every arm, so that no request pays for first-time work."""
        ids, now = self.recommender.package.products.ids, self.clock()
        seen: list[Action] = [(product, now, "view") for product in ids[3:4]]
        for arm in ARMS:
            self.recommender.recommend(ids[:3], ShopperState.empty(), now, 5, arm, activity=seen)

    def _rank(
        self, cart: Sequence[str], known: Known, now: float, request: RecommendationRequest
    ) -> tuple[list[Recommendation], str, str | None]:
        """Return (recommendations, the arm that made them, why it is not the one asked for)."""
        failed = None
        for arm in dict.fromkeys((request.arm, *FALLBACKS)):
            try:
                found = self.recommender.recommend(cart, known.shopper, now, request.k, arm, activity=known.activity)
                return found, arm, failed
            except Exception as error:  # whatever breaks in one arm, the next one answers; the log keeps the cause
                log.exception("arm failed", arm=arm)
                failed = f"{request.arm} failed ({type(error).__name__})"
        return [], request.arm, failed

    def _item(self, found: Recommendation) -> Item:
        matrix = self.recommender.package.matrix
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
    if request.at is not None and not EARLIEST <= request.at < LATEST:
        raise RequestError("at", f"is {request.at.isoformat()}, expected a moment of {EARLIEST.year} to {LATEST.year}")


def cart_of(request: RecommendationRequest, session_cart: list[str]) -> list[str]:
    """Return the product ids in the cart: the request's if it tells them, else the session's."""
    return session_cart if request.cart is None else [line.product_id for line in request.cart]
