"""A release as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.settings import ReleaseSettings
from training.releasing import Release

COLOURS = {"worse": "red", "fine": "green", "open": "yellow", "too few": "dim", "silent": "dim"}
MOST_LOOKS = 10


def release_screen(running: Release | None, record: Mapping[str, Any] | None, plan: ReleaseSettings) -> RenderableType:
    """Return the running release, else how the last one ended, with its steps and newest looks."""
    parts: list[RenderableType] = [Text(_headline(running, record))]
    if record is not None:
        parts += [_steps(running, record, plan), *_looks(record)]
    return Group(*parts)


def _headline(running: Release | None, record: Mapping[str, Any] | None) -> str:
    if running is not None:
        since = running.since.isoformat(timespec="seconds")
        return (
            f"Version {running.version} (package {running.package}) is being released against version "
            f"{running.champion}: step {running.step} since {since}."
        )
    if record is None:
        return "No release runs."
    why = (record["decision"] or {}).get("why", "no reason is recorded")
    marked = " It is marked as bad: promoting it takes --force." if record["marked_bad"] else ""
    return f"No release runs. The last one, of version {record['version']}: {record['outcome']}, {why}.{marked}"


def _steps(running: Release | None, record: Mapping[str, Any], plan: ReleaseSettings) -> Table:
    table = Table("step", title="Steps", title_justify="left")
    for heading in ("share", "people needed", "hours", "margin"):
        table.add_column(heading, justify="right")
    table.add_column("begun")
    table.add_column("experiment")
    for step in plan.steps:
        begun = record["steps"].get(step.name)
        style = "bold" if running is not None and running.step == step.name else ""
        table.add_row(
            step.name,
            f"{step.share:.0%}" if step.share else "shadow",
            f"{step.least_people:,}",
            f"{step.least_hours:g}",
            f"{step.margin:.0%}" if step.share else "",
            "" if begun is None else begun["since"][:19] + "Z",
            "" if begun is None else begun["experiment"],
            style=style,
        )
    return table


def _looks(record: Mapping[str, Any]) -> list[RenderableType]:
    if not record["looks"]:
        return [Text("Nobody has looked yet: `tillwise release step`.", style="dim")]
    newest = record["looks"][-1]
    checks = Table(title=f"Newest look, {newest['at'][:19]}Z at step {newest['step']}", title_justify="left")
    for heading in ("figure", "verdict", "what was found"):
        checks.add_column(heading)
    for check in newest["checks"]:
        verdict = Text(check["verdict"], style=COLOURS.get(check["verdict"], ""))
        checks.add_row(check["name"].replace("_", " "), verdict, check["says"])
    looks = Table(title="Looks", title_justify="left")
    for heading in ("at", "step", "people", "did", "why"):
        looks.add_column(heading)
    for look in record["looks"][-MOST_LOOKS:]:
        people = ", ".join(f"{arm} {count:,}" for arm, count in look["people"].items())
        looks.add_row(look["at"][:19] + "Z", look["step"], people, look["action"], look["why"])
    return [checks, looks]
