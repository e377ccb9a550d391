"""Which baskets are played, and the events that each becomes. Pure: the same seed gives the same plan."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.shopping import SECONDS_BETWEEN_EVENTS, Basket, checkout_of, line_up, rfc3339


@dataclass(frozen=True)
class PlannedSession:
    """One basket as a shopper's session.

    Attributes:
        session_id: unique to this replay, so that no state of an earlier one is met.
        shopper_id: who. asked_at: moment of the checkout and of the last event, unix seconds.
        identify: body of POST /v1/identify. batch: body of POST /v1/batch, its calls in order.
        cart: visible products. hidden: what a recommendation has to find.
    """

    session_id: str
    shopper_id: str
    asked_at: int
    identify: dict[str, Any]
    batch: dict[str, Any]
    cart: frozenset[str]
    hidden: frozenset[str]

    def question(self, arm: str, k: int) -> dict[str, Any]:
        """Return the body of POST /v1/recommendations: the session alone, so that its cart comes from its events."""
        return {"session_id": self.session_id, "k": k, "arm": arm, "at": rfc3339(self.asked_at)}


def plan_sessions(baskets: Sequence[Basket], count: int, seed: int, run_id: str) -> list[PlannedSession]:
    """Return the sessions to play, oldest first.

    Args:
        baskets: all that may be played. count: how many to sample; all of them when there are fewer.
        seed: of the sample. run_id: part of every session id.
    """
    chosen = random.Random(seed).sample(list(baskets), min(count, len(baskets)))
    chosen.sort(key=lambda basket: (basket.placed_at, basket.order_id))
    return [plan_session(basket, run_id) for basket in chosen]


def plan_session(basket: Basket, run_id: str) -> PlannedSession:
    """Return a basket as events: each visible product viewed and added, in ascending order of id, then the checkout.

    The data hold one moment per basket and no order inside it: the order and the five seconds between events, the
    last of which falls on the basket's moment, are assumptions. The shopper's device, whose clock `sentAt` tells,
    lives at the basket's moment; the service moves its events to its own clock, as it does with any wrong clock.
    """
    session_id = f"replay-{run_id}-{basket.order_id}"
    who = {"userId": basket.shopper_id, "anonymousId": session_id, "context": {"sessionId": session_id}}
    named = list(checkout_of(basket.cart))
    sent_at = rfc3339(basket.placed_at)
    started = rfc3339(basket.placed_at - SECONDS_BETWEEN_EVENTS * len(named))
    events = line_up(named, who, 1, basket.placed_at, SECONDS_BETWEEN_EVENTS)
    return PlannedSession(
        session_id=session_id,
        shopper_id=basket.shopper_id,
        asked_at=basket.placed_at,
        identify=who | {"messageId": f"{session_id}-0", "timestamp": started, "sentAt": sent_at, "traits": {}},
        batch={"batch": events, "sentAt": sent_at},
        cart=frozenset(basket.cart),
        hidden=frozenset(basket.hidden),
    )
