"""A part that is a command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from configs import Settings
from configs.processes import start_child
from pipelines.parts.base import Part
from pipelines.processes import end_group, environment

SECONDS_TO_STOP = 15.0


class CommandPart(Part):
    """Runs a command in a process group of its own, its output appended to a log.

    Args:
        name: what messages call it; also names the log file.
        command: program and arguments.
        settings: handed to the process through its environment.
        is_ready: asked with the process id, repeatedly, until it says yes.
        deadline: seconds it may take from start to ready.
        variables: further variables of its environment.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        settings: Settings,
        *,
        is_ready: Callable[[int], bool],
        deadline: float,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log: Path = settings.work.logs / f"{name}.log"
        self.deadline = deadline
        self._command = list(command)
        self._settings = settings
        self._is_ready = is_ready
        self._variables = dict(variables or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None before the first start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the command; what it prints is appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            variables = environment(self._settings) | self._variables
            self._process = start_child(self._command, log, env=variables, leads_group=True)

    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def ready(self) -> bool:
        """Return whether it runs and does its work."""
        return self._process is not None and self.alive() and self._is_ready(self._process.pid)

    def stop(self) -> None:
        """End it and whatever it started."""
        if self._process is not None:
            end_group(self._process, SECONDS_TO_STOP)
