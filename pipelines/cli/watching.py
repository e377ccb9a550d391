"""Commands that watch the live model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from configs import SilentProgress, load_settings
from pipelines.cli.output import Json, console_for, print_json, print_line


def monitor(
    drift: Annotated[bool, typer.Option(help="Also compare inputs; takes some seconds.")] = True,
    as_json: Json = False,
) -> None:
    """Look at the live model once, and act: a confirmed breach goes back to the last good version.

    Compares clicks, adds, coverage, scores, latency and fallbacks with those of the last good champion, and inputs with
    those of the model's first days. Look as often as you like: false alarms come no more often for it. Drift of inputs
    alone asks for a retrain. What cannot be read ends with exit code 1, and nothing is done.
    """
    from monitoring.watch import monitor as look
    from monitoring.watch.view import look_screen

    report = look(load_settings(), SilentProgress(), drift=drift)
    if as_json:
        print_json(report.metrics)
    else:
        console_for(as_json).print(look_screen(report.metrics))


def incidents(as_json: Json = False) -> None:
    """List what the monitor found so bad that it acted, or that somebody has to: newest first."""
    from monitoring.watch import read_incidents
    from monitoring.watch.view import incidents_screen

    settings, console = load_settings(), console_for(as_json)
    found = read_incidents(settings)
    if as_json:
        print_json([asdict(one) for one in found])
    elif not found:
        print_line(console, "No incident is recorded.")
    else:
        console.print(incidents_screen(found))
