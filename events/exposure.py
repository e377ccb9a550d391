"""What one of our answers showed, and with what probability: the event that learning from real feedback rests on.

One exposure is published an answered request, as an `Event` of the kind "exposure" whose message id says which request
it was. Calls from outside that claim such a name or message id are refused, so that nobody can forge one.
"""

from __future__ import annotations

import msgspec

EXPOSED = "Recommendations Exposed"
"""Name of the event; reserved."""

RESERVED = "tillwise:"
"""How message ids of our own events begin; reserved."""


class Shown(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One product of an answer.

    Attributes:
        product_id: of the catalogue. score: what it was ranked by, comparable within one answer only.
        propensity: probability that this product was shown at this place, given all that the answer rests on: below 1
            only where chance decides. None if it is not known, as after a failed arm.
        price: money per unit, worth: what selling one earns; None if not known.
    """

    product_id: str
    score: float
    propensity: float | None = None
    price: float | None = None
    worth: float | None = None


class Exposure(msgspec.Struct, frozen=True, array_like=True):
    """What an answer showed and why.

    Attributes:
        unit: the name under which the person takes part in experiments; the request's id if nobody was named.
        experiment, experiment_arm: None if the request took part in none.
        ranking_arm: the way to rank that answered, one of `training.recommender.ARMS`.
        model_version, rules_version: what answered; None without rules.
        fallback: why the answer is less than it could be, None if it is not.
        now: unix seconds that were ranked for. latency_ms: what it took to make the answer.
        cart: product ids. explored: whether chance changed what was shown.
        lines: what was shown, best place first. pool: (product id, score) of what chance could have shown besides.
        shadow: arm → product ids that it would have shown, best first; none if it could not rank.
        columns, features: see `features.exposed`; empty if features are not logged.
        shadow_ms: arm → milliseconds that its ranking took.
    """

    unit: str
    experiment: str | None
    experiment_arm: str | None
    ranking_arm: str
    model_version: str
    rules_version: str | None
    fallback: str | None
    now: float
    latency_ms: float
    cart: tuple[str, ...]
    explored: bool
    lines: tuple[Shown, ...]
    pool: tuple[tuple[str, float], ...] = ()
    shadow: dict[str, tuple[str, ...]] = {}
    columns: str = ""
    features: bytes = b""
    shadow_ms: dict[str, float] = {}


def message_id(request_id: str) -> str:
    """Return the message id of a request's exposure."""
    return f"{RESERVED}{request_id}"
