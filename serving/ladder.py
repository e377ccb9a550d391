"""The degradation ladder: what answers when there is no time, no state or no model for what was asked.

State:   shopper unreadable → the session only → the cart of the request only (`serving.state`).
Ranking: the arm asked for → a cheaper model → co-occurrence with the cart → the popular set of the shopper's segment.
Model:   none at start → the popular set of the last good start → nothing (`serving.bare`).

Every answer that is less than it could be says so in `fallback`; `Step` is the stable name of how far down it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import structlog

from serving.budget import Budget
from serving.costs import Costs
from training.recommender import SEGMENT

log = structlog.get_logger()

Step = Literal[
    "other_model", "session_only", "request_only", "cheaper_model", "co_occurrence", "popular", "last_resort", "empty"
]
"""How far down an answer comes from, the worse of state and ranking:

- other_model: the model assigned to the shopper is not loaded: the champion answers;
- session_only: something of what is known of the shopper could not be read;
- request_only: nor could the session: the request's own cart is all there is;
- cheaper_model: a small model ranked instead of the one asked for;
- co_occurrence: what is often bought with the cart; popular: what sells to shoppers of this segment;
- last_resort: no model is loaded: what sold when one last was; empty: there is nothing to show.
"""

CHEAPER = "student_int8"
LAST = SEGMENT
LOWER: dict[str, Step] = {
    CHEAPER: "cheaper_model",
    "frequently_bought_together": "co_occurrence",
    "popularity": "popular",
    LAST: "popular",
}
"""The rungs below any arm, from the best and dearest to the one that is always there, and their names."""

DEARER = frozenset({"model", "value", "gbm", "neural", "student"})
"""Arms for which the small model is a cheaper stand-in."""

TELL_SECONDS = 10.0

MARGIN = 2.0
"""On a machine with more to do than cores, ranking is interrupted for about as long as it takes."""

BEHIND_SECONDS = 0.0005
"""What each request that waits is at least left: reading it, its popular set, its answer."""


def rungs(wanted: str) -> list[str]:
    """Return the arms to try in turn, the one asked for first."""
    below = [arm for arm in LOWER if arm != "popularity" and (arm != CHEAPER or wanted in DEARER)]
    return list(dict.fromkeys((wanted, *below)))


class Ladder:
    """Chooses arms by the time that is left, and remembers what they cost.

    Args:
        behind: returns how many requests are in this process, the present one among them.
        ticks: monotonic seconds.
    """

    def __init__(self, behind: Callable[[], int] = lambda: 1, ticks: Callable[[], float] = time.monotonic) -> None:
        self._costs, self._behind, self._ticks = Costs(), behind, ticks
        self._told: dict[str, float] = {}

    def down(self, wanted: str, budget: Budget) -> Iterator[str]:
        """Yield the arms for which there is time, one after the other as each fails; the last rung in any case.

        Ranking holds up whoever waits: what they need at the least is not taken from them.
        """
        for arm in rungs(wanted):
            now = self._ticks()
            needed = MARGIN * self._costs.expected(arm, now) + BEHIND_SECONDS * (self._behind() - 1)
            if arm == LAST or needed <= budget.left(now):
                yield arm

    @contextmanager
    def measured(self, arm: str) -> Iterator[None]:
        """Remember what the block costs as the arm's cost, if it does not fail."""
        started = self._ticks()
        yield
        ended = self._ticks()
        self._costs.add(arm, ended - started, ended)

    def failed(self, arm: str, error: Exception) -> str:
        """Return in words that an arm failed; the log gets the cause, now and then: a stack trace takes its time."""
        now = self._ticks()
        if now >= self._told.get(arm, -math.inf) + TELL_SECONDS:
            self._told[arm] = now
            log.error("arm failed", arm=arm, exc_info=error)
        return f"{arm} failed ({type(error).__name__})"


def step_of(state: Step | None, wanted: str, arm: str, *, empty: bool = False) -> Step | None:
    """Return how far down an answer comes from: the ranking's step, else the state's; None: from the very top."""
    if empty:
        return "empty"
    return state if arm == wanted else LOWER[arm]
