"""A verdict of the gate as a table for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def verdict_table(verdict: Mapping[str, Any]) -> RenderableType:
    """Return the content of gate.json as a table, with its sentences below."""
    against = "no champion yet" if verdict["champion"] is None else f"the champion is version {verdict['champion']}"
    title = f"Version {verdict['version']} at the gate to {verdict['alias']} ({against})"
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("")
    for heading in ("check", "found", "demanded"):
        table.add_column(heading, overflow="fold")
    for check in verdict["checks"]:
        mark = Text("✓", style="green") if check["passed"] else Text("✗", style="bold red")
        table.add_row(mark, *(Text(check[name]) for name in ("name", "found", "demanded")))
    said = [f"{check['name']}: {check['says']}." for check in verdict["checks"] if not check["passed"]]
    end = (
        "It passes." if verdict["passed"] else f"It does not pass, for {len(said)} of {len(verdict['checks'])} checks."
    )
    return Group(
        Text(title, style="italic"), table, *(Text(line, style="red") for line in said), Text(end, style="bold")
    )
