"""The `tillwise` command in a work folder of its own, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 600.0


@dataclass
class Tillwise:
    """A work folder with ports of its own.

    `variables`: further settings, as `TILLWISE_*` variables. `patience`: seconds that a command may take.
    """

    home: Path
    service_port: int
    redis_port: int
    variables: Mapping[str, str] = field(default_factory=dict)
    patience: float = PATIENCE_SECONDS

    @property
    def url(self) -> str:
        """URL of the service."""
        return f"http://127.0.0.1:{self.service_port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every command."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TILLWISE_")}
        return clean | {
            "TILLWISE_HOME": str(self.home),
            "TILLWISE_MIN_FREE_GB": "0",
            "TILLWISE_SERVING__PORT": str(self.service_port),
            "TILLWISE_REDIS__PORT": str(self.redis_port),
            "TILLWISE_SERVING__REDIS_TIMEOUT_MS": "2000",  # no fallback, however busy the machine
            **self.variables,
        }

    def start(self, *arguments: str, module: str = "pipelines.cli", **variables: str) -> subprocess.Popen[str]:
        """Start a command, with further variables for it alone."""
        command, pipe = [sys.executable, "-m", module, *arguments], subprocess.PIPE
        environment = self.environment | variables
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, code: int = 0, module: str = "pipelines.cli", **variables: str) -> str:
        """Run a command to its end and return what it printed; fail if its exit code is another."""
        process = self.start(*arguments, module=module, **variables)
        out, err = process.communicate(timeout=self.patience)
        assert process.returncode == code, out + err
        return out if code == 0 else out + err

    def ask(self, *arguments: str, **variables: str) -> Any:
        """Run a command with --json and return its document."""
        return json.loads(self.run(*arguments, "--json", **variables))

    def processes(self) -> list[psutil.Process]:
        """Return every process that runs for this work folder."""
        return [process for process in psutil.process_iter() if str(self.home) in _environment_of(process)]


def _environment_of(process: psutil.Process) -> str:
    try:
        return f"{process.environ().get('TILLWISE_HOME', '')} {' '.join(process.cmdline())}"
    except psutil.Error:
        return ""
