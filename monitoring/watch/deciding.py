"""What is to be done about what was seen. A pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from configs.watching import WatchSettings
from monitoring.watch.watching import Watched

Act = Literal["none", "rollback", "incident", "retrain"]


@dataclass(frozen=True)
class Situation:
    """What a decision rests on.

    Attributes:
        figures: how each is. tells_outcomes: whether any click, add or order is recorded since the breach began.
        earlier: whether there is a version to go back to.
        since_rollback: seconds since an alias was last moved back; None if never.
        drifted: whether inputs drifted, confirmed. asked: whether a retrain was asked for lately.
    """

    figures: Sequence[Watched]
    tells_outcomes: bool
    earlier: bool
    since_rollback: float | None
    drifted: bool
    asked: bool


@dataclass(frozen=True)
class Choice:
    """What to do, by which rule, and why, in a sentence; `figures`: names of those in breach."""

    act: Act
    rule: str
    why: str
    figures: tuple[str, ...] = ()


OUTCOMES = ("attach_rate", "click_rate")


def choose(seen: Situation, settings: WatchSettings) -> Choice:
    """Return what is to be done.

    A breach of the live model is answered by going back. It is not if the record tells of no outcome at all, for then
    something else is broken; nor shortly after another rollback; nor if there is nothing to go back to. Drift without a
    breach is answered by a retrain.
    """
    breached = [one for one in seen.figures if one.verdict == "breach"]
    if not seen.tells_outcomes:
        blind = tuple(one.name for one in breached if one.name in OUTCOMES)
        breached = [one for one in breached if one.name not in OUTCOMES]
        if blind and not breached:
            why = (
                "Answers are recorded, but not one click, add or order of anybody since: outcomes do not arrive, which "
                "says nothing of the model. See whether the shop's pages still send events."
            )
            return Choice("incident", "no_outcomes", why, blind)
    names = tuple(one.name for one in breached)
    told = "; ".join(map(sentence, breached))
    if names and not seen.earlier:
        why = f"{told}. There is no earlier version to go back to: promote another one, or train one."
        return Choice("incident", "nothing_to_go_back_to", why, names)
    if names and seen.since_rollback is not None and seen.since_rollback < settings.cool_down_minutes * 60:
        why = (
            f"{told}. The last rollback was {seen.since_rollback / 60:.0f} minutes ago, less than "
            f"{settings.cool_down_minutes:g}: two bad models in a row are more likely a cause outside of them. "
            "Look for it, or go back by `tillwise rollback --why …`."
        )
        return Choice("incident", "cool_down", why, names)
    if names:
        return Choice("rollback", "breach", told, names)
    if seen.drifted and not seen.asked:
        return Choice("retrain", "drift_without_breach", "Inputs drifted and no figure is worse than it may be.")
    return Choice("none", "all_well" if not seen.drifted else "retrain_asked_already", "Nothing is to be done.")


def sentence(one: Watched) -> str:
    """Return what is wrong with a figure."""
    assert one.live is not None
    assert one.limit is not None
    assert one.reference is not None
    than = "at least" if one.at_least else "at most"
    name = LABELS[one.name]
    return f"{name} is {one.live:.3f}, expected {than} {one.limit:.3f} (reference {one.reference:.3f})"


LABELS = {
    "attach_rate": "attach rate",
    "click_rate": "click rate",
    "coverage": "share of distinct products",
    "affinity": "chance of scores above the reference's",
    "latency": "share of slow answers",
    "fallback_share": "share of answers that the model failed at",
}
