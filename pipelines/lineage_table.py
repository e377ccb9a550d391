"""Where a version came from, as a table for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training.lineage import Lineage

UNKNOWN = "unknown (its run did not log it)"
SHORT = 12
"""Letters of a fingerprint that a person needs."""


def lineage_table(found: Lineage, present: Mapping[str, str]) -> RenderableType:
    """Return a lineage as tables: what made the version, and the decisions that touched it.

    Args:
        found: the lineage. present: setting → value as text, as set now; of the version's, those that differ are told.
    """
    title = f"Version {found.version}, package {found.package or UNKNOWN}"
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name, text in _rows(found, present):
        table.add_row(Text(name, style="dim"), Text(text))
    return Group(table, *_decisions(found))


def _rows(found: Lineage, present: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    data = found.data
    yield "registered", f"{found.registered_at}, {' and '.join(found.aliases) or 'no alias'}"
    yield "data", _known(data["fingerprint"])[:SHORT] if data["fingerprint"] else UNKNOWN
    yield "  dataset", _known(data.get("dataset"))
    yield "  read from", _pairs(data.get("sources"))
    yield (
        "  orders",
        UNKNOWN if "first_order_at" not in data else f"{data['first_order_at']} to {data['last_order_at']}",
    )
    yield "  knows orders before", _known(data["as_of"])
    yield "code", _known(found.code)
    features = found.features or {}
    yield "features", _known(features.get("fingerprint"))[:SHORT] if features else UNKNOWN
    yield "  Feast views", _pairs(features.get("views"))
    yield "  definitions", _known(features.get("definitions"))
    yield "config", _config(found.config, present)
    yield (
        "parent",
        "none: there was no champion" if found.parent == "" else _known(found.parent and f"version {found.parent}"),
    )
    yield "feedback", _pairs(found.feedback)
    yield (
        "stages",
        UNKNOWN
        if found.stages is None
        else ", ".join(f"{stage} {told['seconds']:.0f} s" for stage, told in found.stages.items()),
    )


def _config(config: Mapping[str, str] | None, present: Mapping[str, str]) -> str:
    if config is None:
        return UNKNOWN
    other = [f"{name} {value}" for name, value in config.items() if present.get(name, value) != value]
    differ = f"; other than set now: {', '.join(other)}" if other else ", all as set now"
    return f"{len(config)} settings logged{differ}"


def _decisions(found: Lineage) -> Iterator[RenderableType]:
    if not found.decisions:
        yield Text("No decision touched it.")
        return
    table = Table(title="Decisions", title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("at", "what", "alias", "from", "to", "who", "why"):
        table.add_column(heading, overflow="fold")
    for decision in found.decisions:
        moved = (decision.before or "–", decision.after)
        table.add_row(f"{decision.at[:19]}Z", decision.kind, decision.alias, *moved, decision.who, Text(decision.why))
    yield table


def _pairs(found: Mapping[str, Any] | None) -> str:
    return UNKNOWN if not found else ", ".join(f"{name} {value}" for name, value in found.items())


def _known(text: str | None) -> str:
    return text or UNKNOWN
