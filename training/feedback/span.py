"""Which part of the record is learned from.

A model knows nothing from its cutoff on, so neither does what it learns of exposures: they were ranked for a moment
before the cutoff, and only what was received before it is known of them. Of a live shop no day counts before it is
over, so that the same record gives the same examples all day long, and the stage that makes them is stale once a day
and not at each event. Answers of the last attribution window before that are left out: what comes of them is not known
yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from configs import Settings
from events.record.log import GRACE

DAY = 86_400.0


@dataclass(frozen=True)
class Span:
    """Unix seconds.

    Attributes:
        since, until: exposures received at or after the one, before the other. known: outcomes received before.
        ranked_since, ranked_until: exposures ranked for a moment at or after the one, before the other.
    """

    since: float
    until: float
    known: float
    ranked_since: float
    ranked_until: float


def is_learned_from(settings: Settings, clock: str) -> bool:
    """Return whether exposures beside a data set of this clock are to be learned from."""
    return settings.feedback.enabled and (clock == "live" or settings.feedback.rehearsals)


def closed_until(clock: str, now: float) -> float:
    """Return the moment up to which the record does not change any more: of a live shop the end of the last day (UTC)
    that is over for good; of a rehearsal `now`."""
    if clock != "live":
        return now
    today = (datetime.fromtimestamp(now, UTC) - GRACE).date()
    return datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()


def span_of(settings: Settings, clock: str, as_of: float, now: float) -> Span:
    """Return what is learned from.

    Args:
        clock: of the data set. as_of: the model's cutoff. now: unix seconds.
    """
    closed, first = closed_until(clock, now), as_of - settings.feedback.days * DAY
    if clock != "live":  # its moments are not those at which it was played
        return Span(0.0, closed, closed, first, as_of)
    known = min(closed, as_of)
    return Span(first, known - settings.monitoring.attribution_minutes * 60, known, first, as_of)
