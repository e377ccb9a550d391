"""Where a replay's figures are kept: `var/reports/replay.json`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from configs import Settings
from pipelines.played import write_played
from pipelines.shopping import SECONDS_BETWEEN_EVENTS


def write_replay_report(settings: Settings, figures: dict[str, Any]) -> dict[str, Any]:
    """Write the figures with where they come from to `report_path`; return the file's content."""
    path, says = report_path(settings), partial(caption, settings)
    return write_played(settings, path, "tillwise replay", figures, under=settings.replay, caption=says)


def report_path(settings: Settings) -> Path:
    """Return the file of the newest replay's figures."""
    return settings.work.reports / "replay.json"


def caption(settings: Settings, title: str) -> str:
    """Return what a reader of the table has to know to read it right."""
    return (
        f"Real baskets of {title}, simulated sessions: of each held-out basket 30 % of the products are hidden; the "
        f"others are viewed and added one by one in ascending order of product id, {SECONDS_BETWEEN_EVENTS} s apart, "
        "one of each, since the data hold neither their order nor any clicks. Each arm is asked once per session, at "
        f"the basket's own moment, with the session's id only. A hit is a list of {settings.replay.k} that holds a "
        "hidden product; a fallback's answer counts as given, a failed call as a miss. Intervals: 95 %, bootstrap over "
        f"shoppers. Latency as this client saw it, {settings.replay.concurrency} sessions at a time on the same "
        "machine."
    )
