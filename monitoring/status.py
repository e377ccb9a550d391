"""Collects the status of every area. Looking never changes anything, and what is down never makes it fail."""

from __future__ import annotations

from datetime import UTC, datetime

from configs import Settings
from monitoring.area import Area, Status
from monitoring.built import data_area, features_area, model_area
from monitoring.recorder import recorder_area
from monitoring.running import consumer_area, redis_area, service_area
from monitoring.watched import monitor_area

__all__ = ["Area", "Status", "collect_status"]


def collect_status(settings: Settings) -> Status:
    """Return how everything is, in the order of the data's journey."""
    areas = (
        data_area(settings),
        features_area(settings),
        model_area(settings),
        redis_area(settings),
        consumer_area(settings),
        recorder_area(settings),
        service_area(settings),
        monitor_area(settings),
    )
    return Status(datetime.now(UTC).isoformat(timespec="seconds"), areas)
