"""The bias audit as a table for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def audit_table(audit: Mapping[str, Any]) -> RenderableType:
    """Return the part `audit` of evaluation.json: a line for each group, below it what fell short."""
    table = Table(title="Bias audit", title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("group", overflow="fold")
    for heading in ("shoppers", "HR", "of all", "exposure", "of due", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, grouping in audit["groups"].items():
        table.add_row(f"{grouping['of']} by {name.replace('_', ' ')}", style="bold")
        for label, group in grouping["by_group"].items():
            hit_rate, exposure = group["hit_rate"], group["exposure"]
            shown = (hit_rate["value"], hit_rate["ratio"], exposure["value"], exposure["ratio"])
            forms = (".3f", ".2f", ".3f", ".2f")
            figures = [_number(value, form) for value, form in zip(shown, forms, strict=True)]
            table.add_row(f"  {label}", f"{group['shoppers']:,}", *figures, _verdict(group))
    passed = "passed: no group falls short of a limit" if audit["passed"] else "NOT passed"
    said = [f"Bias audit {passed}.", *audit["findings"]]
    return Group(table, Text("\n".join(said)), Text("\n".join([_CAPTION, *audit["notes"]]), style="dim"))


_CAPTION = (
    "of all: over the hit rate of all cases whose group is known. exposure: filled places of shoppers' lists, or "
    "products' share of all places shown; of due: over everybody's, or over the share of what is taken. short: below a "
    "limit of evaluation.audit, and not by chance; told: too small or without a limit."
)


def _verdict(group: Mapping[str, Any]) -> str:
    if not group["judged"]:
        return "told"
    return "short" if any(group[measure]["short"] for measure in ("hit_rate", "ndcg", "exposure")) else "ok"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
