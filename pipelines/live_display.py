"""The form of a build's display for a person at a terminal: a live bar with the time left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pipelines.display import Display, PlainDisplay, cost, told
from pipelines.estimate import Estimate, spoken
from pipelines.records import StageRecord
from pipelines.stages import Stage

BAR_WIDTH = 30
NAME_WIDTH = 12


def display_for(console: Console) -> Display:
    """Return the display that fits where `console` writes to."""
    if console.is_terminal:
        return LiveDisplay(console)
    return PlainDisplay(partial(console.print, markup=False, highlight=False, soft_wrap=True))


@dataclass
class _Running:
    """A stage under way: which, since when (monotonic seconds), and what it said last."""

    stage: Stage
    since: float
    message: str = "starting"
    done: float = 0.0


class LiveDisplay:
    """Finished stages scroll by; below them live the running ones with their bars, and the time left of the build."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._estimate = Estimate({})
        self._running: dict[str, _Running] = {}
        self._finished: set[str] = set()

    @contextlib.contextmanager
    def build(self, expected: Mapping[Stage, float]) -> Iterator[None]:
        """Surround a build."""
        self._estimate = Estimate(expected)
        self._running.clear()
        self._finished.clear()
        with Live(console=self._console, get_renderable=self._render, refresh_per_second=5, transient=True):
            yield

    def reused(self, stage: Stage, record: StageRecord) -> None:
        """Say that a stage's result still holds."""
        self._row("[dim]=[/]", stage, Text(f"unchanged since {record.finished_at}, reused", style="dim"))

    def started(self, stage: Stage) -> None:
        """Show the stage as running."""
        self._running[stage.name] = _Running(stage, time.monotonic())

    def progressed(self, stage: Stage, message: str, done: float) -> None:
        """Show how far a running stage is."""
        running = self._running[stage.name]
        running.message, running.done = message, done

    def finished(self, stage: Stage, record: StageRecord) -> None:
        """Say what a stage read, wrote and rejected."""
        self._running.pop(stage.name)
        self._finished.add(stage.name)
        self._row("[green]✓[/]", stage, Text.assemble(told(record.report), (f" · {cost(record)}", "dim")))
        for note in record.report.notes:
            self._row("[yellow]![/]", stage, Text(note))

    def _row(self, mark: str, stage: Stage, text: Text) -> None:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column(width=NAME_WIDTH)
        row.add_column()
        row.add_row(mark, f"[bold]{stage.name}[/]", text)
        self._console.print(row)

    def _render(self) -> RenderableType:
        # Stages come and go in threads of their own: what is shown is what ran at one moment.
        running, now = list(self._running.values()), time.monotonic()
        if not running:
            return Text("")
        rows = Table.grid(padding=(0, 1))
        for item in running:
            rows.add_row(
                Text("▸", style="cyan"),
                Text(item.stage.name, style="bold"),
                ProgressBar(total=1.0, completed=min(item.done, 1.0), width=BAR_WIDTH),
                Text(item.message, overflow="ellipsis", no_wrap=True),
            )
        elapsed = {item.stage.name: (now - item.since, item.done) for item in running}
        left = self._estimate.left(elapsed, set(self._finished))
        doing = " · ".join(f"{item.stage.does} · {spoken(now - item.since)} so far" for item in running)
        return Group(rows, Text(f"  {doing} · about {spoken(left)} left", style="dim"))
