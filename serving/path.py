"""The request path: check → read state → assign → rank, rules, explore (`serving.showing`) → answer → log the exposure.

Readable top to bottom.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from configs.moments import moment
from configs.settings import ServingSettings
from features.activity import Action
from features.context import ProductMatrix
from features.shopper import ShopperState
from serving.admission import Admission
from serving.answers import RecentAnswers
from serving.budget import Budget
from serving.clock import Clock
from serving.experiments import Asked, ExposureLog, RunningExperiments, shopper_of, unit_of
from serving.explain import contributions
from serving.ladder import Ladder, rungs, step_of
from serving.models import Models
from serving.rules import RuleBook
from serving.schema import Fallback, Item, RecommendationAnswer, RecommendationRequest, Status
from serving.showing import Shown, show
from serving.standing import model_status, release_status, rules_status
from serving.state import Known, StateReader
from training.aliases import CHAMPION
from training.recommender import ARMS, Recommendation

WARM_ROUNDS = 3

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Moments that are ranked for: beyond them calendars end."""


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
    """What a worker needs to answer: models, rules, state, time, and what to do when there is little of it;
    experiments, and where exposures go.
    """

    models: Models
    rules: RuleBook
    state: StateReader
    clock: Clock
    limits: ServingSettings
    recent: RecentAnswers
    ladder: Ladder = field(default_factory=Ladder)
    experiments: RunningExperiments = field(default_factory=RunningExperiments)
    exposures: ExposureLog | None = None

    async def answer(self, request: RecommendationRequest, budget: Budget) -> RecommendationAnswer:
        """Return the recommendations for a request in time; degraded, and saying so, rather than late or none.

        Raises:
            RequestError: the request breaks a limit or names nobody.
        """
        started = time.perf_counter()
        check(request, self.limits)
        asked = await self._asked(request, budget)
        rules = self.rules.over(asked.served.matrix, asked.arm_name)
        name, recent = self.recent.find(request, asked.known, asked.served.version, rules.version, asked.arm_name)
        if recent is not None:
            return recent
        shown = show(asked, rules, self.ladder, budget)
        ranked, known = shown.ranked, asked.known
        trouble = "; ".join(reason for reason in (known.missing, asked.missing, ranked.failed) if reason) or None
        empty = ranked.failed is not None and not shown.items
        step = step_of(known.step, asked.assigned.ranking, ranked.arm, empty=empty)
        answer = RecommendationAnswer(
            request_id=asked.request_id,
            model_version=asked.served.version,
            rules_version=rules.version,
            arm=ranked.arm,
            items=items_of(asked.served.matrix, shown.chosen.rows, shown.items),
            fallback=Fallback(ranked.arm, trouble, step or "other_model") if trouble else None,
            experiment=asked.assigned.experiment,
            experiment_arm=asked.arm_name,
        )
        if self.exposures is not None:
            self.exposures.add(asked, ranked, trouble, (time.perf_counter() - started) * 1e3, rules.version)
        if request.explain:
            await _explain(answer, asked, shown)
        return self.recent.keep(name, answer)

    async def status(self, door: Admission) -> Status:
        """Return what serves, and how it is."""
        package, running = self.models.champion.package, self.experiments.now.running
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
            experiment=None if running is None else running.name,
            exposures=None if self.exposures is None else self.exposures.status(),
            model=model_status(self.models),
            rules=rules_status(self.rules),
            release=release_status(self.experiments),
        )

    def warm(self) -> None:
        """Rank with every rung of the ladder, so that what each costs is known before requests come."""
        recommender, now = self.models.champion.recommender, self.clock()
        ids = recommender.package.products.ids
        seen: list[Action] = [(product, now, "view") for product in ids[3:4]]
        for arm in rungs("model") * WARM_ROUNDS:
            with self.ladder.measured(arm):
                recommender.recommend(ids[:3], ShopperState.empty(), now, 5, arm, activity=seen)

    async def _asked(self, request: RecommendationRequest, budget: Budget) -> Asked:
        """Return a request with what is known of it and who answers it: one package, whatever is swapped meanwhile."""
        at, served, missing = self.clock(), self.models.champion, None
        now = at if request.at is None else request.at.timestamp()
        known = await self.state.read(request.session_id, request.shopper_id, now, served.matrix, budget)
        assigned = self.experiments.now.assign(unit_for(request, known), request.arm, at)
        if assigned.arm is not None and assigned.arm.alias != CHAMPION:
            other = self.models.named(assigned.arm.alias)
            served, missing = other or served, None if other else f"no model is {assigned.arm.alias}"
        if assigned.arm is not None and assigned.arm.weights:
            served = served.weighted(assigned.arm.weights)
        cart = cart_of(request, list(known.session.cart) if known.session else [])
        return Asked(request, uuid.uuid4().hex, at, now, known, cart, assigned, served, missing)


async def _explain(answer: RecommendationAnswer, asked: Asked, shown: Shown) -> None:
    found = await contributions(asked.served.explainer, shown.ranked.context, shown.chosen, shown.ranked.arm)
    for item, parts in zip(answer.items, found, strict=True):
        item.contributions = parts


def items_of(matrix: ProductMatrix, rows: NDArray[np.int32], found: Iterable[Recommendation]) -> list[Item]:
    """Return recommended products, int32[found] rows of them, with what the catalogue knows of each."""
    cards, shown = matrix.cards, zip(rows.tolist(), found, strict=True)
    return [Item(*cards[row], round(one.score, 5), one.reason) for row, one in shown]


def check(request: RecommendationRequest, limits: ServingSettings) -> None:
    """Check what the types cannot.

    Raises:
        RequestError: names the field, what was found and what is allowed.
    """
    if request.session_id is None and request.shopper_id is None and request.cart is None:
        raise RequestError("body", "names nobody: give session_id, shopper_id or cart")
    if request.arm is not None and request.arm not in ARMS:
        raise RequestError("arm", f"is {request.arm!r}, expected one of {', '.join(ARMS)}")
    if request.k > limits.max_k:
        raise RequestError("k", f"is {request.k}, at most {limits.max_k} items are given")
    if request.cart is not None and len(request.cart) > limits.max_cart:
        raise RequestError("cart", f"has {len(request.cart)} lines, at most {limits.max_cart} are taken")
    if request.at is not None and request.at.tzinfo is None:
        raise RequestError("at", "has no time zone: end it with Z or an offset such as +02:00")
    if request.at is not None and not EARLIEST <= request.at < LATEST:
        raise RequestError("at", f"is {request.at.isoformat()}, expected a moment of {EARLIEST.year} to {LATEST.year}")


def unit_for(request: RecommendationRequest, known: Known) -> str | None:
    """Return the name under which whoever asks takes part in experiments, None if nobody is named."""
    anonymous = known.session.anonymous_ids[:1] if known.session else ()
    shopper = shopper_of(request, known)
    return unit_of(request.session_id, anonymous[0] if anonymous else None, shopper, known.person, known.visit)


def cart_of(request: RecommendationRequest, session_cart: list[str]) -> list[str]:
    """Return the product ids in the cart: the request's if it tells them, else the session's."""
    return session_cart if request.cart is None else [line.product_id for line in request.cart]
