"""The status as one screen for a person."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from monitoring.area import Area, Status

COLOURS = {"ok": "green", "stale": "yellow", "not built": "yellow", "not running": "red", "failing": "red"}
SHORT = 12
"""Letters of a fingerprint that a person needs."""


def status_screen(status: Status) -> RenderableType:
    """Return the status as a table: area, state, what is known, and the command that mends what is amiss."""
    table = Table(title=f"Tillwise at {status.at}", title_justify="left", show_header=False, show_lines=True)
    for area in status.areas:
        table.add_row(Text(area.name, style="bold"), Text(area.state, style=COLOURS[area.state]), _known(area))
    return table


def _known(area: Area) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    for name, value in area.facts.items():
        grid.add_row(Text(name.replace("_", " "), style="dim"), Text(_shown(name, value)))
    if area.fix is not None:
        grid.add_row(Text("to mend", style="dim"), Text(area.fix, style="bold"))
    return grid


def _shown(name: str, value: Any) -> str:
    if name == "fingerprint":
        return str(value)[:SHORT]
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_shown(key, inner)}" for key, inner in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
