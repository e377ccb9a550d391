"""The commands that decide which model serves."""

from __future__ import annotations

from typing import Annotated

import typer

from configs import load_settings
from pipelines.cli.output import Json, console_for, print_json


def promote(
    version: Annotated[
        str | None, typer.Option(metavar="N", help="Registered version to promote; the newest one if not given.")
    ] = None,
    alias: Annotated[str, typer.Option(help="Alias to move: `champion` serves, `challenger` is tried.")] = "champion",
    force: Annotated[
        bool, typer.Option("--force", help="Promote although the gate refuses; needs --why, which is recorded.")
    ] = False,
    why: Annotated[str | None, typer.Option(help="Reason to record with the decision.")] = None,
    as_json: Json = False,
) -> None:
    """Let a registered model version serve, if its evaluation beats the simpler arms and it passes its self-test.

    Without options this builds, evaluates and registers what changed, then promotes the newest version. A refusal
    says what fell short and ends with exit code 1.
    """
    if force and not why:
        raise typer.BadParameter("--force overrides the gate, so it needs --why.", param_hint="--why")
    from pipelines.build import build, run_alone
    from pipelines.live_display import display_for

    settings, display = load_settings(), display_for(console_for(as_json))
    if version is None and not force and why is None and alias == "champion":
        outcomes = build(settings, "promote", display)
    else:
        arguments = {"version": version, "alias": alias, "force": force, "why": why}
        outcomes = [run_alone(settings, "promote", display, arguments)]
    if as_json:
        print_json([outcome.as_dict() for outcome in outcomes])


def rollback(
    why: Annotated[str | None, typer.Option(help="What is wrong with the present version; it is recorded.")] = None,
    alias: Annotated[str, typer.Option(help="Alias that is moved back.")] = "champion",
    as_json: Json = False,
) -> None:
    """Let the version serve again that the present one took over from; replicas follow within seconds.

    Said again, it goes back further. Who did it, when and why is recorded in the registry.
    """
    from pipelines.build import run_alone
    from pipelines.live_display import display_for
    from pipelines.stages import ON_DEMAND

    arguments = {"why": why, "alias": alias}
    done = run_alone(load_settings(), "rollback", display_for(console_for(as_json)), arguments, ON_DEMAND)
    if as_json:
        print_json(done.as_dict())
