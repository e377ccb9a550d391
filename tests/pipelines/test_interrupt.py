"""Ctrl-C during a build: nothing half-written stays, no process stays, and the exit code says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.pipelines.fake_stages import OUTSIDE

PATIENCE_SECONDS = 30
DRIVER = """
import sys
from pipelines.build import build
from pipelines.cli.failure import guarded
from pipelines.live_display import display_for
from rich.console import Console
from tests.pipelines.fake_stages import stage
from tests.pipelines.support import settings_in
from pathlib import Path
import signal, typer
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    guarded(build)(settings_in(Path(sys.argv[1])), "slow", display_for(Console()), stages=(stage("slow"),))
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def start_slow_build(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a build in a process of its own; return it with the pids of its stage and of the stage's worker."""
    (folder / OUTSIDE).touch()
    build = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    note = folder / "pids.txt"
    wait_for(lambda: note.exists() and len(note.read_text().split()) == 2)
    return build, [int(pid) for pid in note.read_text().split()]


def running(pid: int) -> bool:
    """Return whether a process runs; one that merely waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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
    build, (stage, worker) = start_slow_build(tmp_path)
    build.kill()
    build.communicate(timeout=PATIENCE_SECONDS)
    wait_for(lambda: not running(stage))
    os.kill(worker, signal.SIGKILL)  # the fake stage's own child, which asked for nothing
    assert not list(tmp_path.glob("**/*.partial"))
