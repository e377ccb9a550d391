"""One area of the status: how it is, what is known, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

UP = "tillwise up"
"""Mends what is not running."""
MISSED_BEATS = 5
"""After so many heartbeats that did not come a process counts as hanging."""

State = Literal["ok", "stale", "not built", "not running", "failing"]


@dataclass(frozen=True)
class Area:
    """What was found out about one part of Tillwise.

    Attributes:
        name: "data", "features", "model", "redis", "consumer", "recorder", "service" or "monitor".
        state: `stale`: there, but not made from what is there now.
        facts: figures and names, JSON-serialisable, in the order in which a person reads them.
        fix: the command, or advice, that mends it; None when nothing is to be mended.
    """

    name: str
    state: State
    facts: dict[str, Any] = field(default_factory=dict)
    fix: str | None = None


@dataclass(frozen=True)
class Status:
    """All areas, and when they were looked at (RFC 3339, UTC)."""

    at: str
    areas: tuple[Area, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the status as JSON-serialisable plain data, areas by name."""
        areas = {area.name: {key: value for key, value in asdict(area).items() if key != "name"} for area in self.areas}
        return {"at": self.at} | areas
