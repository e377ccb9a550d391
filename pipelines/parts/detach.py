"""A supervisor in the background, and ending it from another process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

from configs import Settings
from configs.errors import PartError
from configs.home import WorkFolder
from pipelines.parts.record import UpRecord, forget_up, read_up
from pipelines.processes import environment, last_lines

TICK_SECONDS = 0.2
SECONDS_TO_STOP = 45.0
SECONDS_AFTER_KILL = 5.0


def start_detached(settings: Settings, command: Sequence[str] = ("-m", "pipelines.cli", "up")) -> UpRecord:
    """Start a supervisor that outlives this process; return what it runs once all of it is ready.

    Raises:
        PartError: it ended before that; the message shows the end of its log.
        KeyboardInterrupt: after it was stopped again.
    """
    log = settings.work.logs / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(settings),
            start_new_session=True,
        )
    try:
        while supervisor.poll() is None:
            record = read_up(settings.work)
            if record is not None and record.supervisor.pid == supervisor.pid and record.ready:
                return record
            time.sleep(TICK_SECONDS)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise
    raise PartError(f"It could not be brought up: {last_lines(log, 3)} (the whole log: {log}).")


def stop_up(work: WorkFolder) -> list[str]:
    """End what `up` started in this work folder, and only that; return the names of what was ended.

    The supervisor is asked to stop everything in order. If it has gone without doing so, or does not within a
    while, the parts that it recorded are ended one by one.
    """
    record = read_up(work)
    if record is None:
        return []
    stopped = []
    supervisor = record.supervisor.process()
    if supervisor is not None:
        stopped = ["supervisor", *record.parts]
        _end(supervisor, SECONDS_TO_STOP)
    for name, identity in reversed(record.parts.items()):
        left = identity.process()
        if left is not None:
            stopped += [name] if name not in stopped else []
            _end(left, SECONDS_AFTER_KILL)
    forget_up(work)
    return stopped


def _end(process: psutil.Process, patience: float) -> None:
    """Ask a process to end; kill it when it does not in `patience` seconds."""
    try:
        process.terminate()
        try:
            process.wait(patience)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(SECONDS_AFTER_KILL)
    except psutil.NoSuchProcess:
        return
