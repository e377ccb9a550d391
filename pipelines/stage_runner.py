"""Runs one stage in a process of its own: memory is measured per stage and returned, and an interrupt ends it all.

The child leads its own process group, so that Ctrl-C reaches this process alone, which then ends the child and
whatever workers it started, in that order.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import Settings, StageReport, errors
from configs.errors import StageError, TillwiseError
from pipelines.memory import MemoryMeter
from pipelines.processes import SECONDS_TO_CLEAN_UP, end_group, last_lines
from pipelines.stages import Stage

OnProgress = Callable[[str, float], None]
TICK_SECONDS = 0.2

PATIENT = {"OMP_WAIT_POLICY": "passive"}
"""Threads sleep while they wait for each other. Each ranker starts one per core, and where both are trained side by
side, threads that wait busily would keep the cores from those they wait for; what is computed stays the same."""


class StoppedError(StageError):
    """A stage was ended on our own wish, since the build that it is part of ends."""

    @classmethod
    def of(cls, stage: Stage) -> StoppedError:
        """Return the error that says so of a stage."""
        return cls(f"Stage {stage.name} was stopped, since the build ended before it was done.")


@dataclass(frozen=True)
class StageRun:
    """One finished run: the stage's report, wall time in seconds, peak memory of its processes in MiB."""

    report: StageReport
    seconds: float
    peak_mb: float


def run_stage(
    stage: Stage,
    settings: Settings,
    on_progress: OnProgress,
    arguments: Mapping[str, Any] | None = None,
    halt: threading.Event | None = None,
) -> StageRun:
    """Run a stage to its end in a child process; several may run beside each other, in threads.

    Args:
        stage: which one.
        settings: handed to it.
        on_progress: called with (message, finished share) when the stage says something, and every fraction of a
            second with the newest of both.
        arguments: further keyword arguments for the stage's function, JSON-serialisable.
        halt: once set, the stage is ended.

    Raises:
        TillwiseError: whatever the stage raised; StageError when its process ended without a result.
        StoppedError: after `halt` was set and the child and its workers have ended.
        KeyboardInterrupt: after the child and its workers have ended.
    """
    started = time.monotonic()
    log = settings.work.logs / f"stage-{stage.name}.log"
    request = {
        "stage": stage.name,
        "function": stage.function,
        "settings": settings.model_dump(mode="json") | {"home": str(settings.work.root)},
        "arguments": dict(arguments or {}),
    }
    with _child(request, log) as (process, channel):
        meter = MemoryMeter(process.pid)
        result = _follow(process, channel, _unless_halted(stage, on_progress, halt), meter)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_CLEAN_UP)
    if result is None:
        raise _ended_without_result(stage, process.returncode, log)
    if "error" in result:
        raise _error(result["error"])
    peak = max(float(result["peak_mb"]), meter.peak_mb)
    return StageRun(StageReport(**result["report"]), time.monotonic() - started, peak)


def _unless_halted(stage: Stage, on_progress: OnProgress, halt: threading.Event | None) -> OnProgress:
    def tell(message: str, done: float) -> None:
        if halt is not None and halt.is_set():
            raise StoppedError.of(stage)
        on_progress(message, done)

    return tell


@contextlib.contextmanager
def _child(request: dict[str, Any], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    log.parent.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.stage_process", str(writer)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[writer],
                env=PATIENT | os.environ,
                start_new_session=True,
            )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    try:
        assert process.stdin is not None
        # A child that dies at once is reported by its exit code and log, not by the pipe it left.
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(json.dumps(request).encode())
        yield process, reader
    finally:
        os.close(reader)
        end_group(process)


def _follow(
    process: subprocess.Popen[bytes], channel: int, on_progress: OnProgress, meter: MemoryMeter
) -> dict[str, Any] | None:
    """Read messages until the child has ended; return its result, None when it gave none."""
    message, done, buffered = "starting", 0.0, b""
    result: dict[str, Any] | None = None
    while True:
        on_progress(message, done)
        if select.select([channel], [], [], TICK_SECONDS)[0]:
            chunk = os.read(channel, 65536)
            if not chunk:
                return result
            *lines, buffered = (buffered + chunk).split(b"\n")
            for line in map(json.loads, lines):
                if "update" in line:
                    message, done = line["update"]
                else:
                    result = line
        elif result is not None or process.poll() is not None:
            return result
        meter.sample()


def _error(told: dict[str, str]) -> TillwiseError:
    kind = getattr(errors, told["kind"], None)
    return kind(told["message"]) if kind else StageError(told["message"])


def _ended_without_result(stage: Stage, code: int, log: Path) -> StageError:
    if code == -signal.SIGKILL:
        return StageError(
            f"Stage {stage.name} was killed from outside (signal 9), which is how a system out of memory ends "
            "processes: close other programs, or use a machine with more memory."
        )
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return StageError(f"Stage {stage.name} ended {how} and gave no result; its log {log} ends with: {last_lines(log)}.")
