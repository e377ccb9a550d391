"""Simulated traffic's figures as a file, `var/reports/traffic.json`, and as a table for a person."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs import Settings
from pipelines.played import write_played


def write_traffic_report(settings: Settings, figures: dict[str, Any]) -> dict[str, Any]:
    """Write the figures with where they come from to `traffic_path`; return the file's content."""
    path, says = traffic_path(settings), partial(caption, settings)
    return write_played(settings, path, "tillwise simulate", figures, under=settings.traffic, caption=says)


def traffic_path(settings: Settings) -> Path:
    """Return the file of the newest figures."""
    return settings.work.reports / "traffic.json"


def caption(settings: Settings, title: str) -> str:
    """Return what a reader of the table has to know to read it right."""
    ways = settings.traffic.behaviour
    return (
        f"SIMULATED shoppers, no people: real held-out baskets of {title}, 30 % of each hidden; the "
        "others are the cart. Each visitor is new and has no past. They look at places from the top, going on with "
        f"chance {ways.patience:g}; what the real shopper bought is clicked and added with chance {ways.take:g}, "
        f"anything else clicked with {ways.curiosity:g} and the best-seller added with {ways.impulse:g}, unless it is "
        f"shown at more than {ways.dear:g} times what people paid. These chances are assumptions (traffic.behaviour). "
        "Attach rate: visitors who added something shown, with its exact 95 % interval. Latency as this client saw it, "
        "on the same machine."
    )


def traffic_table(report: Mapping[str, Any]) -> RenderableType:
    """Return the content of traffic.json as a table, counters and caption below."""
    table = Table(title="Simulated shoppers", title_justify="left")
    table.add_column("model · arm", no_wrap=True)
    for heading in ("sessions", "attach rate", "95 % interval", "click rate", "degraded", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for group in report["groups"]:
        low, high = group["attach_ci95"]
        table.add_row(
            " · ".join(filter(None, (group["model_version"], group["arm"]))),
            f"{group['sessions']:,}",
            f"{group['attach_rate']:.3f}",
            f"{low:.3f} – {high:.3f}",
            f"{group['click_rate']:.3f}",
            f"{group['degraded']:.1%}",
            *(f"{group['latency_ms'][name]:.1f}" for name in ("p50", "p99")),
        )
    return Group(table, Text(_counters(report)), Text(report["caption"], style="dim"))


def _counters(report: Mapping[str, Any]) -> str:
    wrong = ", ".join(f"{count:,} × {name}" for name, count in sorted(report["errors"].items())) or "none"
    return (
        f"{report['sessions']:,} simulated sessions in {report['seconds']:,.1f} s ({report['sessions_per_minute']:,} a "
        f"minute), {report['requests']:,} requests; failed calls: {wrong}."
    )
