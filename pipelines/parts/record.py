"""Which processes `up` started: `var/run/up.json`, so that `down` ends those and no others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from configs.home import WorkFolder, read_json, write_json

SAME_MOMENT_SECONDS = 0.05
UP = "up"
"""Under this name `up` and `run` record what they run; other supervisors have names of their own."""


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number.

    Attributes:
        pid: its number. created: when it was started, unix seconds.
    """

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return the identity of a running process; None when there is none."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def process(self) -> psutil.Process | None:
        """Return the process if it still runs and is the one that was recorded."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) < SAME_MOMENT_SECONDS
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class UpRecord:
    """What `up` started.

    Attributes:
        supervisor: the process that watches the others. parts: those, by name, in the order they were started.
        ready: whether all parts have become ready since the start.
    """

    supervisor: Identity
    parts: dict[str, Identity]
    ready: bool


def read_up(work: WorkFolder, name: str = UP) -> UpRecord | None:
    """Return what was recorded last; None when nothing was, or it was stopped in order."""
    content = read_json(_path(work, name))
    if content is None:
        return None
    parts = {name: Identity(**identity) for name, identity in content["parts"].items()}
    return UpRecord(Identity(**content["supervisor"]), parts, content["ready"])


def write_up(work: WorkFolder, record: UpRecord, name: str = UP) -> None:
    """Record what runs now."""
    write_json(_path(work, name), asdict(record))


def forget_up(work: WorkFolder, name: str = UP) -> None:
    """Record that nothing runs."""
    _path(work, name).unlink(missing_ok=True)


def _path(work: WorkFolder, name: str) -> Path:
    return work.run / f"{name}.json"
