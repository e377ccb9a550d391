"""An answer as it was made, and the event that tells of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.settings import EventSettings
from events.contract import Event
from events.exposure import EXPOSED, Exposure, Shown, message_id
from events.shopper import FirstShown
from features.context import Context
from features.definitions import assemble
from features.exposed import COLUMNS_DIGEST, pack
from serving.experiments.assignment import Assigned
from serving.experiments.exploration import Explored
from serving.models import Served
from serving.schema import RecommendationRequest
from serving.state import Known
from training.recommender import Recommender


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with what is known of it.

    Attributes:
        request_id: of the answer to be. at: unix seconds by the service's clock. now: those to rank for.
        known: what was read. cart: product ids, the session's if the request tells none. assigned: how to answer.
        served: the package that answers. missing: why that is not the one assigned.
    """

    request: RecommendationRequest
    request_id: str
    at: float
    now: float
    known: Known
    cart: Sequence[str]
    assigned: Assigned
    served: Served
    missing: str | None = None

    @property
    def arm_name(self) -> str | None:
        """The arm of the experiment that the request is dealt."""
        return None if self.assigned.arm is None else self.assigned.arm.name

    @property
    def model(self) -> Recommender:
        """The recommender that answers."""
        return self.served.recommender

    @property
    def shopper_id(self) -> str | None:
        """The shopper, as told or as the session knows."""
        return shopper_of(self.request, self.known)

    @property
    def checkout_step(self) -> int | None:
        """The step, as told or as the session knows."""
        told, session = self.request.checkout_step, self.known.session
        return session.checkout_step if told is None and session is not None else told


@dataclass(frozen=True, slots=True)
class Ranked:
    """How a request was answered.

    Attributes:
        arm: that ranked. failed: why that is another one than was asked for.
        model: its recommender. context, rows, scores: the ranking, best first, as deep as exploration needs it.
        explored: which places of the ranking are shown.
    """

    arm: str
    failed: str | None
    model: Recommender
    context: Context
    rows: NDArray[np.int32]
    scores: NDArray[np.float64]
    explored: Explored[int]


@dataclass(frozen=True, slots=True)
class Answered:
    """What an exposure is made of, as the request path has it at hand: nothing is worked out for it there.

    Attributes:
        asked, ranked: what was asked, and what the answer is made of. trouble: why it is less than it could be.
        latency_ms: what it took. rules_version: of the rules that it went through.
        features: float32[shown, columns] as they were scored; None if no model did.
    """

    asked: Asked
    ranked: Ranked
    trouble: str | None
    latency_ms: float
    features: NDArray[np.float32] | None
    rules_version: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """What shadow arms made of a request.

    Attributes:
        lists: arm → product ids, best first; none if the arm could not rank. took_ms: arm → what ranking took.
    """

    lists: Mapping[str, tuple[str, ...]]
    took_ms: Mapping[str, float]


NO_SHADOW = Scored({}, {})
"""Of an answer for which no shadow was scored."""


def shopper_of(request: RecommendationRequest, known: Known) -> str | None:
    """Return the shopper's id, as told or as the session knows."""
    if request.shopper_id is not None or known.session is None:
        return request.shopper_id
    return known.session.shopper_id


def event_of(item: Answered, shadow: Scored, *, features: bool) -> Event:
    """Return the exposure of an answer; `features`: with those of the products shown."""
    asked = item.asked
    session = asked.known.session
    anonymous = session.anonymous_ids[:1] if session else ()
    return Event(
        message_id=message_id(asked.request_id),
        kind="exposure",
        name=EXPOSED,
        session_id=asked.request.session_id or asked.request_id,
        shopper_id=asked.shopper_id,
        occurred_at=asked.at,
        checkout_step=asked.checkout_step,
        anonymous_id=anonymous[0] if anonymous else None,
        received_at=asked.at,
        request_id=asked.request_id,
        exposure=_exposure(item, shadow, features),
    )


def first_shown(asked: Asked, events: EventSettings) -> list[FirstShown]:
    """Return the ids that take part in an experiment without a remembered name, with the name to remember."""
    unit, known = asked.assigned.unit, asked.known
    session, shopper = asked.request.session_id, asked.shopper_id
    if asked.assigned.arm is None or unit is None:
        return []
    found = []
    if session is not None and known.visit is None:
        found.append(FirstShown(session, unit, asked.at, int(events.session_ttl_hours * 3600)))
    if shopper is not None and known.person is not None and known.person.unit is None:
        found.append(FirstShown(shopper, unit, asked.at, int(events.shopper_ttl_days * 86_400)))
    return found


def _exposure(item: Answered, shadow: Scored, features: bool) -> Exposure:
    asked, ranked = item.asked, item.ranked
    package, explored = ranked.model.package, ranked.explored
    rows = ranked.rows[list(explored.shown)]
    columns, values = _features(item, rows) if features and rows.size else ("", b"")
    arm = asked.assigned.arm
    return Exposure(
        unit=asked.assigned.unit or asked.request_id,
        experiment=asked.assigned.experiment,
        experiment_arm=None if arm is None else arm.name,
        ranking_arm=ranked.arm,
        model_version=package.version,
        rules_version=item.rules_version,
        fallback=item.trouble,
        now=asked.now,
        latency_ms=round(item.latency_ms, 3),
        cart=tuple(asked.cart),
        explored=explored.changed,
        lines=_lines(ranked, rows),
        pool=tuple((package.products.ids[ranked.rows[at]], float(ranked.scores[at])) for at in explored.pool),
        shadow=dict(shadow.lists),
        columns=columns,
        features=values,
        shadow_ms=dict(shadow.took_ms),
    )


def _features(item: Answered, rows: NDArray[np.int32]) -> tuple[str, bytes]:
    features = assemble(item.ranked.context, rows) if item.features is None else item.features
    return COLUMNS_DIGEST, pack(features)


def _lines(ranked: Ranked, rows: NDArray[np.int32]) -> tuple[Shown, ...]:
    matrix, explored = ranked.model.package.matrix, ranked.explored
    propensities = explored.propensities if ranked.failed is None else [None] * rows.size
    scores = ranked.scores[list(explored.shown)].tolist()
    values = zip(
        rows.tolist(), scores, propensities, matrix.price[rows].tolist(), matrix.worth[rows].tolist(), strict=True
    )
    cards = matrix.cards
    return tuple(
        Shown(cards[row].product_id, score, propensity, None if math.isnan(price) else price, worth)
        for row, score, propensity, price, worth in values
    )
