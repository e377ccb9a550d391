"""Bodies of the HTTP API, as types: validation, encoding and the OpenAPI description come from here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from events.segment import Text
from serving.ladder import Step as FallbackStep

Step = Annotated[int, Meta(ge=0, le=100, description="checkout step the shopper is on")]


class CartLine(msgspec.Struct, forbid_unknown_fields=True):
    """A product in the cart."""

    product_id: Text
    quantity: Annotated[float, Meta(gt=0, le=1e6)] = 1.0
    unit_price: Annotated[float, Meta(ge=0, le=1e9)] | None = None


class RequestContext(msgspec.Struct, forbid_unknown_fields=True):
    """Where the request comes from, and from whom; business rules look at country and age."""

    device: Annotated[str, Meta(max_length=120)] | None = None
    country: Annotated[str, Meta(max_length=120)] | None = None
    referrer: Annotated[str, Meta(max_length=2000)] | None = None
    age: Annotated[int, Meta(ge=0, le=150, description="of the shopper, years; null: unknown")] | None = None


class RecommendationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Who asks, with what in the cart. One of session_id, shopper_id and cart is needed."""

    session_id: Annotated[Text | None, Meta(description="the session's cart and shopper are used if not given")] = None
    shopper_id: Annotated[Text | None, Meta(description="known shopper; else the session's")] = None
    cart: Annotated[list[CartLine] | None, Meta(description="cart lines; else the session's cart")] = None
    checkout_step: Step | None = None
    k: Annotated[int, Meta(ge=1, description="items wanted")] = 10
    arm: Annotated[
        str | None, Meta(description="how to rank: see /v1/status; such a request takes part in no experiment")
    ] = None
    at: Annotated[
        datetime | None, Meta(description="moment to rank for, to replay history; default: the service's clock")
    ] = None
    context: RequestContext | None = None
    explain: Annotated[bool, Meta(description="tell each item's contributions; for operators")] = False
    deadline_ms: Annotated[
        Annotated[float, Meta(gt=0, le=60_000)] | None,
        Meta(description="answer within so many milliseconds; the service's own deadline if that is shorter"),
    ] = None


class Item(msgspec.Struct):
    """A recommended product."""

    product_id: str
    title: str
    category: str
    price: float | None
    score: Annotated[float, Meta(description="comparable within one answer only")]
    reason: Annotated[str, Meta(description="why, in words a shopper can read")]
    contributions: Annotated[
        dict[str, float] | UnsetType,
        Meta(
            description="only if `explain` was asked for: what each feature contributes, with `base`, what discovery "
            "and signals add, and what business rules add (`rules`); they add up to the score before it was rounded, "
            "within 0.0001 or, of scores above 1, that share of them. Trees by TreeSHAP, networks by sampled Shapley "
            "values from the mean of training: see training/contributions.py"
        ),
    ] = UNSET


class Fallback(msgspec.Struct, frozen=True):
    """That the answer is less than it could be: the arm that answered, why, and how far down the ladder that is."""

    arm: str
    reason: Annotated[str, Meta(description="for people; what stands in parentheses may change")]
    step: Annotated[FallbackStep, Meta(description="for machines; stable. See `serving.ladder` in the source")]


class RecommendationAnswer(msgspec.Struct):
    """Ranked products."""

    request_id: str
    model_version: str
    rules_version: Annotated[
        str | None, Meta(description="of the business rules that chose: digits of their file's digest")
    ]
    arm: str
    items: list[Item]
    fallback: Fallback | None
    experiment: Annotated[str | None, Meta(description="the experiment that this request took part in")] = None
    experiment_arm: str | None = None


class Accepted(msgspec.Struct):
    """The event is durable in the broker."""

    success: bool = True


class RejectedCall(msgspec.Struct):
    """A call of a batch that breaks the contract; it is kept with the dead letters."""

    index: Annotated[int, Meta(description="its place in the batch, from 0")]
    field: str
    reason: str


class BatchAccepted(msgspec.Struct):
    """The valid calls of a batch are durable in the broker."""

    accepted: Annotated[int, Meta(description="how many")]
    rejected: list[RejectedCall]
    success: bool = True


class Product(msgspec.Struct):
    """A product of the catalogue."""

    product_id: str
    title: str
    category: str
    brand: str
    price: float | None
    in_stock: bool


class ProductList(msgspec.Struct):
    """Products found, the most popular first."""

    items: list[Product]


class ProfileLine(msgspec.Struct):
    """A product in a profile; title is empty if the catalogue does not know it."""

    product_id: str
    title: str
    quantity: float
    price: Annotated[float | None, Meta(description="per unit, as last told")] = None
    discount: float = 0.0


class ProfileActivity(msgspec.Struct):
    """Something that happened to a product."""

    at: str
    what: Annotated[str, Meta(description="view, add or remove")]
    product_id: str
    title: str
    quantity: float
    seconds: Annotated[float | None, Meta(description="of a view: time on the product's page, once it is known")] = None


class SessionProfile(msgspec.Struct):
    """What is known of a live session."""

    session_id: str
    shopper_id: str | None
    anonymous_ids: list[str]
    first_event_at: str
    last_event_at: str
    cart: list[ProfileLine]
    cart_value: float
    cart_discount: float
    checkout_step: int | None
    context: Annotated[dict[str, str], Meta(description="device, country, region, referrer, channel, as far as told")]
    activity: Annotated[list[ProfileActivity], Meta(description="oldest first")]
    order_ids: list[str]


class ProfileOrder(msgspec.Struct):
    """An order that live events told of."""

    order_id: str
    at: str
    channel: str | None
    value: float | None
    discount: float
    lines: list[ProfileLine]


class Habit(msgspec.Struct):
    """A category or brand that a shopper buys, and how often: orders with it, older ones counting less."""

    name: str
    rate: float


class ShopperProfile(msgspec.Struct):
    """What is known of a shopper, all ids together."""

    shopper_id: str
    ids: list[str]
    orders: int
    first_order_at: str | None
    last_order_at: str | None
    segment: Annotated[str, Meta(description="new, regular or lapsed")]
    mean_basket_value: float | None
    mean_basket_products: float | None
    mean_unit_price: float | None
    discount_share: Annotated[float | None, Meta(description="price sensitivity: share saved by discounts")]
    categories: Annotated[list[Habit], Meta(description="strongest first")]
    brands: list[Habit]
    recent_orders: Annotated[list[ProfileOrder], Meta(description="from live events, oldest first")]


class Profile(msgspec.Struct):
    """What is known under an id."""

    id: str
    session: SessionProfile | None
    shopper: ShopperProfile | None


class ExposureStatus(msgspec.Struct):
    """What became of the answers of this worker, since it started."""

    logged: Annotated[int, Meta(description="exposures that the broker accepted")]
    waiting: int
    dropped: Annotated[int, Meta(description="answers that are not logged: too many waited, or one could not be told")]
    shadows_skipped: Annotated[int, Meta(description="exposures without what shadow arms would show: too many waited")]


class RefusedPackage(msgspec.Struct, frozen=True):
    """A package that was to serve and does not."""

    version: str | None
    reason: str
    at: str


class RefusedRules(msgspec.Struct):
    """A change of a rules file that does not fit; the rules before it serve on."""

    reason: str
    at: str


class ModelStatus(msgspec.Struct, frozen=True):
    """What the worker that answers has loaded."""

    version: str
    alias: str
    loaded_at: str
    load_seconds: Annotated[float, Meta(description="how long loading, checking and testing it took")]
    process: Annotated[int, Meta(description="id of the worker's process")]
    previous: Annotated[str | None, Meta(description="what served before, kept for an instant rollback")]
    challenger: str | None
    refused: Annotated[RefusedPackage | None, Meta(description="the newest package, if it cannot serve")]


class RulesStatus(msgspec.Struct):
    """The business rules in force."""

    version: str
    loaded_at: Annotated[str, Meta(description="by the wall clock")]
    refused: Annotated[
        RefusedRules | None, Meta(description="the newest change of the file, or of an arm's, if it was refused")
    ]
    arms: Annotated[
        dict[str, str],
        Meta(description="versions of the rules of the experiment's arms that have some of their own, by arm"),
    ]


class RefusedRelease(msgspec.Struct):
    """A release's file that does not fit; what ran before runs on."""

    reason: str
    at: str


class ReleaseStatus(msgspec.Struct):
    """The release that the worker follows."""

    version: Annotated[str | None, Meta(description="in the registry; null if no file that fits was ever read")]
    package: str | None
    step: str | None
    refused: Annotated[RefusedRelease | None, Meta(description="what its file says now, if that is not followed")]


class AccessStatus(msgspec.Struct):
    """Requests that this worker did not let through, since it started."""

    refused: Annotated[int, Meta(description="without a key that fits")]
    limited: Annotated[int, Meta(description="beyond a limit of requests per second")]
    unshared: Annotated[int, Meta(description="let through while Redis did not keep the limits of all workers")]


class Status(msgspec.Struct):
    """What serves."""

    model_version: str
    arms: list[str]
    products: int
    as_of: Annotated[str, Meta(description="the model knows nothing later; empty without a model")]
    now: Annotated[str, Meta(description="the service's clock")]
    redis: Annotated[bool, Meta(description="whether session and shopper state can be read")]
    experiment: Annotated[str | None, Meta(description="the experiment that runs: the service's own, or a release's")]
    exposures: Annotated[ExposureStatus | None, Meta(description="null if exposures are not logged")]
    model: Annotated[ModelStatus | None, Meta(description="null while no model is loaded")]
    rules: Annotated[RulesStatus | None, Meta(description="null while no model is loaded")]
    breaker: Annotated[str, Meta(description="of reading that state: closed, open (it is not tried), half-open")]
    in_flight: Annotated[int, Meta(description="recommendations that this worker works on")]
    shed: Annotated[int, Meta(description="recommendations that this worker has answered 429 since it started")]
    access: AccessStatus | None = None
    release: Annotated[ReleaseStatus | None, Meta(description="null while none runs")] = None


class Problem(msgspec.Struct):
    """What is wrong with a request."""

    field: str
    reason: str


class ErrorAnswer(msgspec.Struct):
    """Body of every answer that is no success."""

    error: Problem
