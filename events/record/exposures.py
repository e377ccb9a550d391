"""Exposures as rows of the tables. Pure functions."""

from __future__ import annotations

from typing import Any

import msgspec

from events.contract import Event
from events.exposure import Exposure


def exposure_row(event: Event, exposure: Exposure, mark: str) -> dict[str, Any]:
    """Return the row of `exposures`."""
    return {
        "request_id": event.request_id,
        "mark": mark,
        "at": event.occurred_at,
        # A request without a session has its own id in the session's place, by which the event is partitioned.
        "session_id": None if event.session_id == event.request_id else event.session_id,
        "shopper_id": event.shopper_id,
        "anonymous_id": event.anonymous_id,
        "unit": exposure.unit,
        "experiment": exposure.experiment,
        "experiment_arm": exposure.experiment_arm,
        "ranking_arm": exposure.ranking_arm,
        "model_version": exposure.model_version,
        "rules_version": exposure.rules_version,
        "fallback": exposure.fallback,
        "checkout_step": event.checkout_step,
        "cart_size": len(exposure.cart),
        "latency_ms": exposure.latency_ms,
        "explored": exposure.explored,
        "shadow": msgspec.json.encode(exposure.shadow).decode() if exposure.shadow else None,
        "shadow_ms": msgspec.json.encode(exposure.shadow_ms).decode() if exposure.shadow_ms else None,
    }


def exposure_line_rows(event: Event, exposure: Exposure) -> list[dict[str, Any]]:
    """Return the rows of `exposure_lines`."""
    return [
        {
            "request_id": event.request_id,
            "position": position,
            "product_id": line.product_id,
            "score": line.score,
            "propensity": line.propensity,
            "price": line.price,
            "worth": line.worth,
        }
        for position, line in enumerate(exposure.lines)
    ]
