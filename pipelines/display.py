"""What is told about a build, and its plain form: one line at each start and end of a stage."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from configs import StageReport
from pipelines.estimate import Estimate, spoken
from pipelines.records import StageRecord
from pipelines.stages import Stage


class Display(Protocol):
    """Who is told about a build. Stages that run beside each other tell it from threads of their own."""

    def build(self, expected: Mapping[Stage, float]) -> contextlib.AbstractContextManager[None]:
        """Surround a build whose stages to run, in order, are expected to take these seconds."""

    def reused(self, stage: Stage, record: StageRecord) -> None:
        """Say that a stage's result still holds."""

    def started(self, stage: Stage) -> None:
        """Say that a stage starts."""

    def progressed(self, stage: Stage, message: str, done: float) -> None:
        """Say how far a running stage is; called several times a second."""

    def finished(self, stage: Stage, record: StageRecord) -> None:
        """Say what a stage read, wrote and rejected."""


class PlainDisplay:
    """One line at each start and end: for logs, pipes and continuous integration.

    Args:
        tell: takes a line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._line = tell
        self._estimate = Estimate({})
        self._started: dict[str, float] = {}
        self._finished: set[str] = set()

    @contextlib.contextmanager
    def build(self, expected: Mapping[Stage, float]) -> Iterator[None]:
        """Surround a build."""
        self._estimate = Estimate(expected)
        self._started.clear()
        self._finished.clear()
        yield

    def reused(self, stage: Stage, record: StageRecord) -> None:
        """Say that a stage's result still holds."""
        self._line(f"{stage.name}: unchanged since {record.finished_at}, reused")

    def started(self, stage: Stage) -> None:
        """Say that a stage starts, and about how long the build still takes."""
        now = time.monotonic()
        self._started[stage.name] = now
        running = {name: (now - at, 0.0) for name, at in list(self._started.items())}
        left = self._estimate.left(running, self._finished)
        self._line(f"{stage.name}: {stage.does}, about {spoken(left)} left")

    def progressed(self, stage: Stage, message: str, done: float) -> None:
        """Keep quiet between start and end."""

    def finished(self, stage: Stage, record: StageRecord) -> None:
        """Say what a stage read, wrote and rejected."""
        self._finished.add(stage.name)
        self._line(f"{stage.name}: {told(record.report)}; {cost(record)}")
        for note in record.report.notes:
            self._line(f"{stage.name}: note: {note}")


def told(report: StageReport) -> str:
    """Return a report as one sentence: what was read, written and rejected."""
    parts = [
        f"{verb} {', '.join(f'{count:,} {what}' for what, count in counts.items())}"
        for verb, counts in (("read", report.read), ("wrote", report.wrote), ("rejected", report.rejected))
        if counts
    ]
    return "; ".join(parts or ["nothing to count"]) + ("" if report.rejected else "; rejected nothing")


def cost(record: StageRecord) -> str:
    """Return what a run cost: wall time and peak memory."""
    return f"{record.seconds:.1f} s, {record.peak_mb:,.0f} MiB at most"
