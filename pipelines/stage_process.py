"""The child process in which one stage runs: `python -m pipelines.stage_process FD`, started by `stage_runner`.

Comes in: {"stage", "function", "settings", "arguments"} as JSON on standard input. Goes out, on file descriptor FD,
one JSON object a line: {"update": [message, done]} any number of times, then {"report": …, "peak_mb": …} or
{"error": {"kind", "message"}}. What libraries print goes to the stage's log file.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from typing import Any, TextIO

import structlog

from configs import Settings, load_settings
from configs.errors import StageError, TillwiseError
from configs.logs import configure_logs
from configs.processes import die_with_parent
from pipelines.away import away_error, database_error
from pipelines.disk import disk_full_error, means_disk_full
from pipelines.loading import load_function

MIN_SECONDS_BETWEEN_UPDATES = 0.1


class ChannelProgress:
    """Progress that is written to the parent, at most ten times a second unless the message is new."""

    def __init__(self, channel: TextIO) -> None:
        self._channel = channel
        self._message = ""
        self._at = 0.0

    def update(self, message: str, done: float) -> None:
        """Tell the parent what is happening; `done` is the finished share of the stage, 0 to 1."""
        now = time.monotonic()
        if message == self._message and now - self._at < MIN_SECONDS_BETWEEN_UPDATES:
            return
        self._message, self._at = message, now
        send(self._channel, {"update": [message, done]})


def send(channel: TextIO, message: dict[str, Any]) -> None:
    """Write one message as a line of JSON."""
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def peak_mb() -> float:
    """Return the most memory this process held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def explain(error: Exception, stage: str, settings: Settings) -> TillwiseError:
    """Return what the user should read about an error that a stage raised."""
    if isinstance(error, TillwiseError):
        return error
    if means_disk_full(error):
        return disk_full_error(settings.work.root, f"stage {stage} ran")
    if (known := database_error(error, stage) or away_error(error, stage)) is not None:
        return known
    if isinstance(error, MemoryError):
        return StageError(f"Stage {stage} ran out of memory: close other programs or use a machine with more.")
    return StageError(
        f"Stage {stage} failed unexpectedly ({type(error).__name__}: {' '.join(str(error).split())[:300]}): the "
        f"whole trace is in {settings.work.logs / f'stage-{stage}.log'}."
    )


def main() -> int:
    """Run the stage that standard input names; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    die_with_parent()
    request = json.load(sys.stdin)
    settings = load_settings(**request["settings"])
    configure_logs(settings.log.level, "json", process=f"stage-{request['stage']}")
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as channel:
        try:
            stage = load_function(request["function"])
            report = stage(settings, ChannelProgress(channel), **request["arguments"])
        except Exception as error:
            told = explain(error, request["stage"], settings)
            send(channel, {"error": {"kind": type(told).__name__, "message": str(told)}})
            with contextlib.suppress(OSError):  # a full disk takes no log either
                structlog.get_logger().error("stage failed", exc_info=not isinstance(error, TillwiseError))
            return 1
        send(channel, {"report": report.as_dict(), "peak_mb": peak_mb()})
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
