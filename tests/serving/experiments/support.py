"""Builders of experiments, and the exposures that a stream holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis
import yaml

from configs import Settings
from events.contract import Event, decode


def arm(name: str = "today", share: float | None = 1.0, **changes: Any) -> dict[str, Any]:
    """Return an arm as the file tells it; without a share it is a shadow."""
    return {"name": name} | ({"shadow": True} if share is None else {"share": share}) | changes


def experiment(*arms: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return what an experiments file says; with one arm if none is given."""
    facts: dict[str, Any] = {"name": "winter", "start": "2001-01-01T00:00:00Z", "salt": "w1"}
    return facts | {"arms": list(arms) or [arm()]} | changes


def written(folder: Path, content: object) -> Path:
    """Return an experiments file that says it."""
    path = folder / "experiments.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def exposures_in(settings: Settings) -> list[Event]:
    """Return the exposures that the streams hold, in order of time."""
    with redis.Redis.from_url(settings.redis_url) as client:
        streams = [f"{settings.events.stream}:{number}" for number in range(settings.events.partitions)]
        found = [decode(fields[b"e"]) for stream in streams for _, fields in client.xrange(stream)]
    return sorted((event for event in found if event.kind == "exposure"), key=lambda event: event.occurred_at)
