"""The request path: decode → read state → cart → rank → rules → explain → answer. Readable top to bottom."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from configs.settings import ServingSettings
from features.activity import Action
from features.context import Context
from features.shopper import ShopperState
from serving.clock import Clock
from serving.explain import contributions
from serving.rules import Chosen, CompiledRules, Pool, RuleBook, Situation, choose
from serving.schema import Fallback, Item, RecommendationAnswer, RecommendationRequest
from serving.state import Known, StateReader
from training.contributions import Explainer
from training.recommender import AMOUNTS, ARMS, FALLBACKS, Recommendation, Recommender

log = structlog.get_logger()


FEATURED = "Featured by the shop"
"""The reason of a product that the shop pinned and the arm did not rank."""

LARGEST_POOL = 6_000
"""Products at which looking for more that the rules allow ends."""


class RequestError(Exception):
    """A request that cannot be answered as it stands."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


class RulesError(Exception):
    """The business rules failed, so that nothing may be shown: what they exclude is not ours to risk."""


@dataclass(frozen=True)
class Asked:
    """A request, with all that arms and rules need to know."""

    cart: Sequence[str]
    situation: Situation
    known: Known
    now: float
    k: int


@dataclass(frozen=True)
class Shown:
    """What an arm and the rules make of a request.

    Attributes:
        arm: that was asked. context: None if the rules failed, or every arm. chosen, items: what is shown, in order.
        failed: why it is not what was asked for.
        final: whether no other arm is worth asking; not if the rules left nothing where something is to be shown.
    """

    arm: str
    context: Context | None = None
    chosen: Chosen | None = None
    items: Sequence[Recommendation] = ()
    failed: str | None = None
    final: bool = True


@dataclass(frozen=True)
class Engine:
    """What a worker needs to answer: the model, the rules, the state and the time."""

    recommender: Recommender
    rules: RuleBook
    explainer: Explainer
    state: StateReader
    clock: Clock
    limits: ServingSettings

    async def answer(self, request: RecommendationRequest) -> RecommendationAnswer:
        """Return the recommendations for a request; degraded, and saying so, rather than none.

        Raises:
            RequestError: the request breaks a limit or names nobody.
        """
        check(request, self.limits)
        now = self.clock() if request.at is None else request.at.timestamp()
        known = await self.state.read(request.session_id, request.shopper_id, now)
        rules = self.rules.over(self.recommender.package.matrix)
        shown = self._show(rules, known, now, request)
        items = [self._item(item) for item in shown.items]
        if request.explain and shown.context is not None and shown.chosen is not None:
            found = await contributions(self.explainer, shown.context, shown.chosen, shown.arm)
            for item, parts in zip(items, found, strict=True):
                item.contributions = parts
        trouble = "; ".join(reason for reason in (known.missing, shown.failed) if reason)
        return RecommendationAnswer(
            request_id=uuid.uuid4().hex,
            model_version=self.recommender.package.version,
            rules_version=rules.version,
            arm=shown.arm,
            items=items,
            fallback=Fallback(shown.arm, trouble) if trouble else None,
        )

    def warm(self) -> None:
        """Rank once with every arm, so that no request pays for first-time work."""
        ids, now = self.recommender.package.products.ids, self.clock()
        seen: list[Action] = [(product, now, "view") for product in ids[3:4]]
        known = Known(None, ShopperState.empty(), activity=seen)
        rules = self.rules.over(self.recommender.package.matrix)
        for arm in ARMS:
            self._by_arm(arm, rules, Asked(ids[:3], Situation(), known, now, 5))

    def _show(self, rules: CompiledRules, known: Known, now: float, request: RecommendationRequest) -> Shown:
        """Return what the arm asked for shows; if it breaks or the rules leave nothing of it, the next fallback.

        Nothing if the rules break.
        """
        failed = None
        for arm in dict.fromkeys((request.arm, *FALLBACKS)):
            try:
                cart = cart_of(request, list(known.session.cart) if known.session else [])
                asked = Asked(cart, situation_of(request, known, rules), known, now, request.k)
                shown = self._by_arm(arm, rules, asked)
                if shown.final:
                    return replace(shown, failed=failed)
                failed = failed or f"the rules let nothing through that {arm} ranks"
            except RulesError as error:
                log.exception("rules failed; nothing is shown", arm=arm, rules=rules.version)
                return Shown(arm, failed=f"rules failed ({type(error.__cause__).__name__}), so nothing is shown")
            except Exception as error:  # whatever breaks in one arm, the next one answers; the log keeps the cause
                log.exception("arm failed", arm=arm)
                failed = f"{request.arm} failed ({type(error).__name__})"
        return Shown(request.arm, failed=failed)

    def _by_arm(self, arm: str, rules: CompiledRules, asked: Asked) -> Shown:
        recommender, known = self.recommender, asked.known
        activity = known.activity if recommender.browses(arm) else ()
        context = recommender.context(asked.cart, known.shopper, asked.now, activity)
        chosen = self._choose(arm, rules, context, asked)
        items = recommender.explain(context, chosen.rows, chosen.scores, arm)
        ranked = chosen.ranked.tolist()
        items = [item if by_arm else replace(item, reason=FEATURED) for item, by_arm in zip(items, ranked, strict=True)]
        final = rules.inert or bool(items) or rules.length(context, asked.situation, asked.k) == 0
        return Shown(arm, context, chosen, items, final=final)

    def _choose(self, arm: str, rules: CompiledRules, context: Context, asked: Asked) -> Chosen:
        """Return what the rules take of the arm's pool; of a larger one where they leave too little of it.

        Raises:
            RulesError: they failed.
        """
        size = rules.pool(asked.k)
        while True:
            rows, scores = self.recommender.rank(context, size, arm)
            try:
                chosen = choose(rules, context, asked.situation, Pool(rows, scores, arm not in AMOUNTS), asked.k)
                enough = chosen.rows.size >= rules.length(context, asked.situation, asked.k)
            except Exception as error:
                raise RulesError from error
            if enough or rows.size < size or size >= LARGEST_POOL:
                return chosen
            size *= 4

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


def cart_of(request: RecommendationRequest, session_cart: list[str]) -> list[str]:
    """Return the product ids in the cart: the request's if it tells them, else the session's."""
    return session_cart if request.cart is None else [line.product_id for line in request.cart]


def situation_of(request: RecommendationRequest, known: Known, rules: CompiledRules) -> Situation:
    """Return what the rules look at, if they ask for anything: as the request tells it, else as the session does.

    Raises:
        RulesError: it cannot be told.
    """
    if rules.inert:
        return Situation()
    try:
        context, session = request.context, known.session
        step, country = request.checkout_step, None if context is None else context.country
        if session is not None:
            step = session.checkout_step if step is None else step
            country = country or session.context.get("country")
        return Situation.of(step, country, None if context is None else context.age, _lines(request, known, rules))
    except Exception as error:
        raise RulesError from error


def _lines(request: RecommendationRequest, known: Known, rules: CompiledRules) -> list[tuple[float, float]]:
    """Return (quantity, price per unit) of the cart's lines; a price not told is the catalogue's, NaN if unknown."""
    told: list[tuple[str, float, float | None]] = []
    if request.cart is not None:
        told = [(line.product_id, line.quantity, line.unit_price) for line in request.cart]
    elif known.session is not None:
        session = known.session
        told = [(product, quantity, session.prices.get(product)) for product, quantity in session.cart.items()]
    price, row_of = rules.matrix.price, rules.matrix.row_of
    return [
        (quantity, paid if paid is not None else float(price[row_of[product]]) if product in row_of else math.nan)
        for product, quantity, paid in told
    ]
