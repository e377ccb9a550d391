"""Commands that tell how things are: the status screen and the replay."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from rich.console import Console

from configs import Settings, load_settings
from pipelines.cli.output import Json, console_for, print_json, print_line


def status(as_json: Json = False) -> None:
    """Show on one screen: data window, features, champion and its metrics, consumer lag, service and Redis.

    What is missing or does not run is shown with the command that mends it.
    """
    from monitoring.status import collect_status
    from monitoring.status_view import status_screen

    found = collect_status(load_settings())
    if as_json:
        print_json(found.as_dict())
    else:
        console_for(as_json).print(status_screen(found))


def lineage(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Its number, package or alias, such as `champion`; or `newest`.")
    ],
    as_json: Json = False,
) -> None:
    """Show where a registered version came from: data, code, features, settings, parent, and who decided what on it.

    Everything is read from the registry; what the version's run did not log is told as unknown.
    """
    from pipelines.lineage_table import lineage_table
    from training.lineage import lineage as lineage_of
    from training.run_log import logged_settings

    settings = load_settings()
    found = lineage_of(settings, version)
    if as_json:
        print_json(found.as_dict())
    else:
        console_for(as_json).print(lineage_table(found, logged_settings(settings)))


def replay(as_json: Json = False) -> None:
    """Play real held-out baskets through the running service, and compare the arms' hit rates and the latency.

    Each basket becomes a simulated session. The table also goes to var/reports/replay.json.
    """
    from pipelines.replay import play_replay, replay_table, report_path, write_replay_report

    settings, console = load_settings(), console_for(as_json)
    with _progress(console, settings) as on_played:
        figures = play_replay(settings, on_played)
    report = write_replay_report(settings, figures)
    if as_json:
        print_json(report)
    else:
        console.print(replay_table(report))
        print_line(console, f"Written to {report_path(settings)}")


@contextlib.contextmanager
def _progress(console: Console, settings: Settings) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, one line elsewhere; yield what to call with (played, all) sessions."""
    if not console.is_terminal:
        print_line(console, f"replay: playing {settings.replay.sessions:,} held-out baskets through the live API")
        yield lambda played, planned: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TextColumn("sessions"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replay", total=None)
        yield lambda played, planned: progress.update(task, completed=played, total=planned)
