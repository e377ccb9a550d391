"""A look, and incidents, as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitoring.watch.deciding import LABELS
from monitoring.watch.incidents import NOT_KNOWN, Incident

COLOURS = {"ok": "green", "breach": "red", "suspicious": "yellow", "lasting too short": "yellow"}
UNKNOWN = "–"


def look_screen(look: Mapping[str, Any]) -> RenderableType:
    """Return a look's metrics: each figure with its reference, limit and verdict, and what was done."""
    table = Table(title=f"Champion: version {look['version']} ({look['package']})", title_justify="left")
    for heading in ("figure", "reference", "live", "limit", "evidence", "verdict"):
        table.add_column(heading, justify="left" if heading in {"figure", "verdict"} else "right")
    for one in look["figures"]:
        sign = "≥" if one["at_least"] else "≤"
        limit = UNKNOWN if one["limit"] is None else f"{sign} {one['limit']:.4f}"
        verdict = Text(one["verdict"], style=COLOURS.get(one["verdict"], "dim"))
        values = (_number(one["reference"]), _number(one["live"]), limit, f"{one['evidence']:.0%}")
        table.add_row(LABELS[one["name"]], *values, verdict)
    held = "; ".join(f"version {one['of']}, {one['people']:,} people" for one in look["references"]) or "nothing yet"
    lines = [Text(f"{look['action'].upper()} ({look['rule']}): {look['why']}", style="bold")]
    if look["incident"] is not None:
        lines.append(Text(f"Incident {look['incident']}; `tillwise incidents` lists all.", style="bold red"))
    caption = (
        f"Held against: {held}. Evidence: share of what an alarm takes. People count once a block for attach rate, "
        "click rate and scores; see monitoring.watch in configs/default.yaml."
    )
    return Group(table, *lines, Text(caption, style="dim"))


def incidents_screen(incidents: Sequence[Incident]) -> RenderableType:
    """Return a table of incidents, newest first."""
    table = Table(title="Incidents", title_justify="left")
    for heading in ("id", "state", "version", "rule", "decided", "last replica", "why"):
        table.add_column(heading)
    for one in incidents:
        times = (one.times.get(name, NOT_KNOWN) for name in ("decided", "last_replica_swapped"))
        to = "" if one.to is None else f" → {one.to}"
        table.add_row(one.id, one.state, f"{one.version}{to}", one.rule, *times, one.why)
    return table


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"
