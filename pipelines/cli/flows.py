"""`tillwise flows`: what runs on a schedule."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from configs import load_settings
from pipelines.cli.dates import Until, with_windows
from pipelines.cli.output import console_for, print_line

Name = Annotated[str, typer.Argument(metavar="NAME", help="ingest, materialize, retrain, monitor or compact.")]
Force = Annotated[bool, typer.Option("--force", help="Run its last stage even if nothing changed.")]


def serve() -> None:
    """Run the flows on their schedules until Ctrl-C, with Prefect's server and UI on this machine.

    The settings `flows.cadence` say when. With PREFECT_API_URL set, that server is used instead of one of ours.
    Workers of an existing server take the flows from prefect.yaml: `prefect deploy --all`.
    """
    from pipelines.flows.serving import serving_flows

    settings, console = load_settings(), console_for(as_json=False)
    with serving_flows(settings, lambda line: print_line(console, line)) as supervisor:
        url = os.environ.get("PREFECT_API_URL") or f"http://127.0.0.1:{settings.flows.port}"
        print_line(console, f"Flows run on their schedules until Ctrl-C; Prefect's UI: {url.removesuffix('/api')}")
        supervisor.watch(until=lambda: False)


def run(name: Name, until: Until = None, force: Force = False) -> None:
    """Run one flow now and to its end; what an earlier run had finished is not done again.

    Its report goes to Prefect: to the server of PREFECT_API_URL, else to that of `tillwise flows serve`, else to one
    that lasts as long as the run. Exit code 1 if it failed, or if the gate refused what `retrain` made.
    """
    from pipelines.flows.home import prefect_environment

    os.environ.update(prefect_environment(load_settings(**with_windows(until))))
    from pipelines.flows.run import run_now

    run_now(name, until, force=force)


COMMANDS: tuple[Callable[..., Any], ...] = (serve, run)
