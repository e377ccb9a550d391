"""`tillwise release`: a new version comes to serve everybody step by step, or is stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from configs import Settings, load_settings
from pipelines.cli.output import Json, console_for, print_json, print_line
from pipelines.cli.trying import try_first


def start_release(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Registered version to release.")],
    force: Annotated[
        bool, typer.Option("--force", help="Release it although the gate refuses; needs --why, which is recorded.")
    ] = False,
    why: Annotated[str | None, typer.Option(help="Reason to record with a forced release.")] = None,
    as_json: Json = False,
) -> None:
    """Start releasing a version: it is tried beside the champion, by the steps of the setting `release.steps`.

    It is tried in a service of its own first, if it never was, and the gate decides whether it may be released.
    `tillwise release step`, which the monitor flow calls, takes it on from step to step while it is no worse than the
    champion, and in the end makes it champion; or stops it.
    """
    if force and not why:
        raise typer.BadParameter("--force overrides the gate, so it needs --why.", param_hint="--why")
    from pipelines.live_display import display_for

    try_first(load_settings(), display_for(console_for(as_json)), version)
    _run("release_start", {"version": version, "force": force, "why": why}, as_json)


def step_release(as_json: Json = False) -> None:
    """Look once at the running release: go on, wait, or stop it. It may be called as often as you like.

    Without a running release it does nothing.
    """
    _run("release", {}, as_json)


def stop_release(
    why: Annotated[str, typer.Option(help="What is wrong with the version; it is recorded.")], as_json: Json = False
) -> None:
    """Stop the running release: the champion answers everybody again, within seconds.

    The version is marked like one that was rolled back: it takes --force to promote it.
    """
    _run("release_stop", {"why": why}, as_json)


def status_release(as_json: Json = False) -> None:
    """Show the running release, its newest look and what it waits for; without one, how the last one ended."""
    from monitoring.release.history import newest_history
    from monitoring.release.view import release_screen
    from training.releasing import read_release, release_path

    settings, console = load_settings(), console_for(as_json)
    running = read_release(release_path(settings.work))
    found = newest_history(settings, None if running is None else running.version)
    if as_json:
        print_json({"running": None if running is None else running.model_dump(mode="json"), "record": found})
    elif running is None and found is None:
        print_line(console, "No version was ever released here: `tillwise release start VERSION`.")
    else:
        console.print(release_screen(running, found, settings.release))


def _run(stage: str, arguments: Mapping[str, Any], as_json: bool) -> None:
    from pipelines.build import run_alone
    from pipelines.live_display import display_for
    from pipelines.stages import ON_DEMAND

    settings: Settings = load_settings()
    done = run_alone(settings, stage, display_for(console_for(as_json)), arguments, ON_DEMAND)
    if as_json:
        print_json(done.as_dict())


COMMANDS: tuple[Callable[..., Any], ...] = (start_release, status_release, step_release, stop_release)
