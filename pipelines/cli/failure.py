"""From whatever went wrong to one sentence on standard error and an exit code; never a stack trace."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
import typer

from configs import load_settings
from configs.errors import TillwiseError
from configs.logs import configure_logs
from pipelines.disk import means_disk_full

FAILED = 1
INTERRUPTED = 130
TRACE_HINT = "TILLWISE_LOG__LEVEL=debug shows the stack trace"

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def guarded(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return the command such that it ends in a sentence and an exit code (1, interrupted 130) when it fails."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.BadParameter):
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise typer.Exit(explain(error)) from None

    return run


def explain(error: Exception | KeyboardInterrupt) -> int:
    """Say on standard error what went wrong; return the exit code."""
    if isinstance(error, KeyboardInterrupt):
        say("Interrupted: everything that was started has been stopped, and nothing half-written was kept.")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone, as in `tillwise status | head -1`; a second write would fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    _trace(error)
    say(sentence(error))
    return FAILED


def sentence(error: Exception) -> str:
    """Return what a user should read about an error."""
    if isinstance(error, TillwiseError):
        return str(error)
    if means_disk_full(error):
        return (
            "The disk is full: free some space, or choose another disk for the work folder with TILLWISE_HOME, "
            "and run the same command again."
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{error.filename or 'A file'} may not be written ({error.strerror}): correct its permissions, or "
            "choose another work folder with TILLWISE_HOME."
        )
    said = " ".join(str(error).split())[:300] or "no message"
    return f"Unexpected {type(error).__name__}: {said}. This is a defect of Tillwise; {TRACE_HINT}."


def say(text: str) -> None:
    """Write one line to standard error, whatever became of it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:  # nobody listens any more
        sys.stderr = None  # keeps Python from failing at exit on the same pipe


def _trace(error: Exception) -> None:
    try:
        log = load_settings().log
    except TillwiseError:
        return
    configure_logs(log.level, log.format)
    structlog.get_logger().debug("command failed", exc_info=error)
