"""What the tests of this folder share: settings of a temporary work folder, and a display that remembers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from configs import Settings, load_settings
from pipelines.records import StageRecord
from pipelines.stages import Stage
from tests.pipelines.fake_stages import OUTSIDE


def settings_in(folder: Path, **overrides: Any) -> Settings:
    """Return settings whose work folder is `folder`, which asks for no free space."""
    (folder / OUTSIDE).touch()
    return load_settings(home=folder, **({"min_free_gb": 0} | overrides))


class RememberingDisplay:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.expected: dict[str, float] = {}
        self.ran: list[str] = []
        self.kept: list[str] = []
        self.messages: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def build(self, expected: Mapping[Stage, float]) -> Iterator[None]:
        self.expected = {stage.name: seconds for stage, seconds in expected.items()}
        yield

    def reused(self, stage: Stage, record: StageRecord) -> None:
        self.kept.append(stage.name)

    def started(self, stage: Stage) -> None:
        self.ran.append(stage.name)

    def progressed(self, stage: Stage, message: str, done: float) -> None:
        self.messages.append((message, done))

    def finished(self, stage: Stage, record: StageRecord) -> None:
        pass
