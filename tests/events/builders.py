"""Builders of events."""

from __future__ import annotations

from configs import load_settings
from events.contract import Event, Line

SETTINGS = load_settings()
EVENTS = SETTINGS.events
NOW = 1_700_000_000.0


def event(
    name: str,
    *products: str,
    at: float = NOW,
    message: str = "m",
    session: str = "s",
    quantity: float = 1.0,
    shopper: str | None = None,
    step: int | None = None,
) -> Event:
    """Return a track event about products."""
    lines = tuple(Line(product, quantity) for product in products)
    return Event(message, "track", name, session, shopper, at, lines, step)
