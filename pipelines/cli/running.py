"""Commands that start, keep and stop what serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from configs import Settings, load_settings
from pipelines.cli.output import Json, console_for, print_json, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.parts.supervisor import Supervisor

URLS = (
    ("checkout page", "/"),
    ("API description", "/schema"),
    ("status", "/v1/status"),
    ("readiness", "/readyz"),
)
Once = Annotated[bool, typer.Option("--once", help="Stop after the result table instead of serving on.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Keep running in the background; see `tillwise down`.")]


def run(once: Once = False) -> None:
    """Build what is missing or out of date, serve it, replay real baskets through it, and keep serving.

    What is built lies in the work folder (setting `home`, default var/) and is reused by the next run. Ctrl-C ends
    it at any point; nothing half-written and no process stays behind.
    """
    from pipelines.live_display import display_for
    from pipelines.parts.ports import require_free_ports
    from pipelines.parts.up import refuse_second, serving

    settings, console = load_settings(), console_for(as_json=False)
    display = display_for(console)
    refuse_second(settings)
    require_free_ports(settings)  # before minutes of building, not after them
    _build_and_promote(settings, console)
    with serving(settings, display, lambda line: print_line(console, line)) as supervisor:
        print_urls(console, settings)
        _replay(settings, supervisor, console)
        if not once:
            print_line(console, "Serving until Ctrl-C.")
            supervisor.watch(until=lambda: False)


def up(detach: Detach = False, as_json: Json = False) -> None:
    """Start Redis, consumer, recorder, follower and service on what is built, and keep them running until Ctrl-C.

    A part that crashes is started again; its log lies in var/logs. Build first with `tillwise run` or the single
    stages.
    """
    settings, console = load_settings(), console_for(as_json)
    if detach:
        _up_in_background(settings, console, as_json)
        return
    from pipelines.live_display import display_for
    from pipelines.parts.up import serving

    with serving(settings, display_for(console), lambda line: print_line(console, line)) as supervisor:
        print_urls(console, settings)
        print_line(console, "Serving until Ctrl-C.")
        supervisor.watch(until=lambda: False)


def down(as_json: Json = False) -> None:
    """Stop what `tillwise up` or `tillwise run` started in this work folder, and nothing else."""
    from pipelines.parts.detach import stop_up

    settings = load_settings()
    stopped = stop_up(settings.work)
    if as_json:
        print_json({"stopped": stopped})
    else:
        what = f"Stopped {', '.join(stopped)}." if stopped else f"Nothing is up in {settings.work.root}."
        print_line(console_for(as_json), what)


def _build_and_promote(settings: Settings, console: Console) -> None:
    from configs.errors import PromotionError
    from pipelines.build import build
    from pipelines.live_display import display_for

    try:
        build(settings, "promote", display_for(console))
    except PromotionError as refusal:
        from training.registry import champion

        if champion(settings) is None:
            raise
        print_line(console, f"{refusal} The present champion keeps serving.")


def _replay(settings: Settings, supervisor: Supervisor, console: Console) -> None:
    """Replay in a process of its own, while the supervisor goes on watching."""
    import subprocess
    import sys

    from pipelines.processes import environment, kill_group

    command = [sys.executable, "-m", "pipelines.cli", "replay"]
    replay = subprocess.Popen(command, env=environment(settings), start_new_session=True)
    try:
        supervisor.watch(until=lambda: replay.poll() is not None)
    finally:
        kill_group(replay)  # it writes nothing before it is done
        console.show_cursor()
    if replay.returncode:
        raise typer.Exit(replay.returncode)


def _up_in_background(settings: Settings, console: Console, as_json: bool) -> None:
    from dataclasses import asdict

    from pipelines.parts.detach import start_detached
    from pipelines.parts.ports import require_free_ports
    from pipelines.parts.up import refuse_second

    refuse_second(settings)
    require_free_ports(settings)
    with console.status("Starting Redis, the consumer and the service"):
        record = start_detached(settings)
    if as_json:
        print_json(asdict(record) | {"url": settings.service_url})
    else:
        print_urls(console, settings)
        print_line(console, f"Up in the background (process {record.supervisor.pid}); `tillwise down` stops it.")


def print_urls(console: Console, settings: Settings) -> None:
    """Print what can be opened, and where."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for what, path in URLS:
        table.add_row(what, f"[link]{settings.service_url}{path}[/]")
    console.print(table)


def serve() -> None:
    """Run the HTTP service in the foreground. `tillwise up` does this and starts what it needs as well."""
    from serving import launch

    launch.serve(load_settings())


RecordAction = Annotated[
    Literal["run", "migrate", "compact"],
    typer.Argument(help="run: write as events come. migrate: bring the tables up to date. compact: the closed days."),
]


def record(action: RecordAction = "run") -> None:
    """Write orders and outcomes to SQL and the event log to Parquet, in the foreground. `tillwise up` does this too.

    The database is `record.database_url` (default: SQLite in the work folder); its tables are brought up to date at
    every start. `migrate` and `compact` do one thing and return.
    """
    settings = load_settings()
    if action == "run":
        from events.record.writer import run_writer

        run_writer(settings)
        return
    import time

    from events.record.database import migrate, open_database
    from events.record.log import compact, log_folder

    if action == "migrate":
        migrate(open_database(settings, write=True))
    else:
        compact(log_folder(settings), time.time())


def follow() -> None:
    """Tell the service which models the registry's aliases mean, in the foreground. `tillwise up` does this too.

    Packages of a registry elsewhere are fetched. `registry.poll_seconds` says how often it looks.
    """
    from training.following import run_follower

    run_follower(load_settings())


def consume() -> None:
    """Run the event consumer in the foreground. `tillwise up` does this and starts what it needs as well."""
    from events.consumer import run_consumer

    run_consumer(load_settings())
