"""The form of a build's display for a person at a terminal: a live bar with the time left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

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


def display_for(console: Console) -> Display:
    """Return the display that fits where `console` writes to."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


class LiveDisplay:
    """Finished stages scroll by; below them lives the running one with its bar, and the time left of the build."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._estimate = Estimate({})
        self._running: Stage | None = None
        self._started_at = 0.0
        self._message, self._done = "", 0.0

    @contextlib.contextmanager
    def build(self, expected: Mapping[str, float]) -> Iterator[None]:
        """Surround a build."""
        self._estimate = Estimate(expected)
        with Live(console=self._console, get_renderable=self._render, refresh_per_second=5, transient=True):
            yield

    def reused(self, stage: Stage, record: StageRecord) -> None:
        """Say that a stage's result still holds."""
        self._row("[dim]=[/]", stage, Text(f"unchanged since {record.finished_at}, reused", style="dim"))

    def started(self, stage: Stage) -> None:
        """Show the stage as running."""
        self._running, self._started_at = stage, time.monotonic()
        self._message, self._done = "starting", 0.0

    def progressed(self, message: str, done: float) -> None:
        """Show how far the running stage is."""
        self._message, self._done = message, done

    def finished(self, stage: Stage, record: StageRecord) -> None:
        """Say what a stage read, wrote and rejected."""
        self._running = None
        self._row("[green]✓[/]", stage, Text.assemble(told(record.report), (f" · {cost(record)}", "dim")))
        for note in record.report.notes:
            self._row("[yellow]![/]", stage, Text(note))

    def _row(self, mark: str, stage: Stage, text: Text) -> None:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column(width=11)
        row.add_column()
        row.add_row(mark, f"[bold]{stage.name}[/]", text)
        self._console.print(row)

    def _render(self) -> RenderableType:
        if self._running is None:
            return Text("")
        elapsed = time.monotonic() - self._started_at
        left = self._estimate.left(self._running.name, elapsed, self._done)
        row = Table.grid(padding=(0, 1))
        row.add_row(
            Text("▸", style="cyan"),
            Text(self._running.name, style="bold"),
            ProgressBar(total=1.0, completed=min(self._done, 1.0), width=BAR_WIDTH),
            Text(self._message, overflow="ellipsis", no_wrap=True),
        )
        footer = Text(f"  {self._running.does} · {spoken(elapsed)} so far · about {spoken(left)} left", style="dim")
        return Group(row, footer)
