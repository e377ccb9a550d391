"""Ctrl-C during a build: nothing half-written stays, no process stays, and the exit code says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.fake_stages import OUTSIDE
from tests.support.waiting import running, wait_until

PATIENCE_SECONDS = 30
DRIVER = """
import sys
from pipelines.build import build
from pipelines.cli.failure import guarded
from pipelines.live_display import display_for
from rich.console import Console
from tests.pipelines.fake_stages import FORK
from tests.pipelines.support import settings_in
from pathlib import Path
import signal, typer
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    guarded(build)(settings_in(Path(sys.argv[1])), "last", display_for(Console()), stages=FORK)
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


def start_slow_build(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a build of two stages beside each other; return it with the pids of both, and of a worker of the first."""
    (folder / OUTSIDE).touch()
    build = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    def pids() -> list[int]:
        return [int(pid) for note in folder.glob("pids*.txt") for pid in note.read_text().split()]

    wait_until(lambda: len(pids()) == 3)
    return build, pids()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_process_and_nothing_half_written(
    tmp_path: Path, number: signal.Signals
) -> None:
    build, pids = start_slow_build(tmp_path)
    build.send_signal(number)
    _, said = build.communicate(timeout=PATIENCE_SECONDS)
    assert build.returncode == 130
    assert said.count("\n") == 1
    assert said.startswith("Interrupted:")
    assert not any(running(pid) for pid in pids)
    assert not list(tmp_path.glob("**/*.partial"))
    assert not (tmp_path / "slow").exists()
    assert not (tmp_path / "stages" / "slow.json").exists()


def test_a_build_that_is_killed_takes_its_stage_along(tmp_path: Path) -> None:
    build, pids = start_slow_build(tmp_path)
    worker = int((tmp_path / "pids.txt").read_text().split()[1])
    build.kill()
    build.communicate(timeout=PATIENCE_SECONDS)
    wait_until(lambda: not any(running(pid) for pid in pids if pid != worker))
    os.kill(worker, signal.SIGKILL)  # the fake stage's own child, which asked for nothing
    assert not list(tmp_path.glob("**/*.partial"))
