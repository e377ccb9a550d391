"""What a stage tells its caller: a `StageReport` when it is done, `Progress` while it works.

A stage is one function, `stage(settings, progress) -> StageReport`; DVC, Prefect and the CLI all call that
function, so it knows nothing of terminals or orchestrators.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class StageReport:
    """What a stage read, wrote and rejected.

    Attributes:
        stage: name of the stage.
        read: rows (or files) read, by source.
        wrote: rows (or files) written, by product.
        rejected: rows rejected, by reason. Empty means that nothing was rejected.
        notes: further sentences a person should see (repairs made, warnings).
        metrics: numbers a machine may want (quality, sizes, seconds), JSON-serialisable.
    """

    stage: str
    read: dict[str, int] = field(default_factory=dict)
    wrote: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-serialisable plain data."""
        return asdict(self)


class Progress(Protocol):
    """Where a stage says how far it is."""

    def update(self, message: str, done: float) -> None:
        """Say what is happening now; `done` is the finished share of the stage, 0 to 1."""


class SilentProgress:
    """Progress that nobody watches: tests and orchestrators with their own display."""

    def update(self, message: str, done: float) -> None:
        """Drop the message."""
