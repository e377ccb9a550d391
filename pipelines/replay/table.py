"""A replay's figures as a table for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.replay.score import stands_above

MODEL = "model"


def replay_table(report: Mapping[str, Any]) -> RenderableType:
    """Return the content of replay.json as a table with its caption and latency below."""
    table = Table(title="Replay of held-out baskets through the live API", title_justify="left")
    table.add_column("arm", no_wrap=True)
    for heading in ("sessions", "hit rate", "95 % interval", "recall"):
        table.add_column(heading, justify="right")
    for arm, figures in report["arms"].items():
        table.add_row(
            arm.replace("_", " "),
            f"{figures['sessions']:,}",
            f"{figures['hit_rate']:.3f}",
            _interval(figures["ci95"]),
            f"{figures['recall']:.3f}",
            style="bold" if arm == MODEL else None,
        )
    lines = [_verdict(report), _latency(report), _visibility(report), report["caption"]]
    return Group(table, *(Text(line, style="dim" if line == report["caption"] else "") for line in lines))


def _interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.3f} – {bounds[1]:.3f}"


def _verdict(report: Mapping[str, Any]) -> str:
    others = [arm for arm in report["arms"] if arm != MODEL]
    beaten = [arm.replace("_", " ") for arm in others if stands_above(report, MODEL, arm)]
    if len(beaten) == len(others):
        return f"The model's interval lies above those of {' and '.join(beaten)}."
    overlapping = [arm.replace("_", " ") for arm in others if arm.replace("_", " ") not in beaten]
    return f"The model's interval does not lie above that of {' or '.join(overlapping)}: too few sessions to tell."


def _latency(report: Mapping[str, Any]) -> str:
    latency = report["latency_ms"]
    if latency["p50"] is None:
        return f"No recommendation call was answered; {report['requests']:,} requests, {report['errors']:,} errors."
    return (
        f"Recommendation calls: p50 {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms, p99 {latency['p99']:.1f} ms; "
        f"{report['requests']:,} requests, {report['errors']:,} errors, {report['fallbacks']:,} fallbacks."
    )


def _visibility(report: Mapping[str, Any]) -> str:
    visible = report["events_visible_ms"]
    sessions = next(iter(report["arms"].values()))["sessions"]
    seen = f"{report['sessions_with_complete_cart']:,} of {sessions:,} sessions had their whole cart in the live state"
    if visible["p50"] is None:
        return f"{seen} when asked: the consumer applied no event in time (see `tillwise status`)."
    return (
        f"{seen} when asked; a session's events were visible {visible['p50']:.0f} ms (p50), {visible['p99']:.0f} ms "
        "(p99) after they were accepted."
    )
