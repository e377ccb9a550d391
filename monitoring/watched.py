"""The status of the monitor: when it last looked, what it found, and whether an incident waits for somebody."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from configs import Settings
from configs.home import read_json
from monitoring.area import Area
from training.wanted import retrain_wanted

LOOK = "tillwise monitor"
LATE_MINUTES = 60.0
"""A monitor that has not looked for so long is not at work."""


def monitor_area(settings: Settings) -> Area:
    """Return what the last look found; an incident that needs a person makes the area failing."""
    look: dict[str, Any] | None = read_json(settings.work.reports / "monitor.json")
    if look is None:
        return Area("monitor", "not running", fix=LOOK)
    ago = (time.time() - datetime.fromisoformat(look["looked_at"]).timestamp()) / 60
    verdicts = {one["name"]: one["verdict"] for one in look["figures"]}
    wanted, incident = retrain_wanted(settings.work), _incident(settings, look)
    facts: dict[str, Any] = {
        "last_look": look["looked_at"],
        "minutes_since": round(ago, 1),
        "version": look["version"],
        "action": look["action"],
        "verdict": "; ".join(f"{name} {verdict}" for name, verdict in verdicts.items() if verdict != "ok") or "all ok",
        "open_incident": None if incident is None else f"{incident['id']}: {incident['why']}",
        "retrain_wanted": None if wanted is None else wanted.why,
    }
    if incident is not None:
        return Area("monitor", "failing", facts, fix=f"see {settings.work.reports / 'incidents' / incident['id']}.md")
    return Area("monitor", "stale" if ago > LATE_MINUTES else "ok", facts, fix=LOOK if ago > LATE_MINUTES else None)


def _incident(settings: Settings, look: dict[str, Any]) -> dict[str, Any] | None:
    """Return the incident of the last look if it waits for somebody."""
    if look["incident"] is None:
        return None
    told: dict[str, Any] | None = read_json(settings.work.reports / "incidents" / f"{look['incident']}.json")
    return told if told is not None and told["state"] in {"acting", "needs you"} else None
