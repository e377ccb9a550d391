"""Waiting for what another process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

PATIENCE_SECONDS = 30.0
SHOWN = 3_000
"""Characters of each log that a failed test shows."""


def wait_until(
    condition: Callable[[], bool], patience: float = PATIENCE_SECONDS, tell: Callable[[], str] | None = None
) -> None:
    """Return as soon as the condition holds; fail the test when it does not within so many seconds.

    Args:
        condition: asked again and again. patience: seconds. tell: says more about the failure, such as ends of logs.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() >= deadline:
            more = "" if tell is None else f"\n{tell()}"
            raise AssertionError(f"it did not happen within {patience:g} s{more}")
        time.sleep(0.02)


def ends_of(*logs: Path) -> str:
    """Return the ends of logs below their names."""
    return "\n".join(
        f"--- {log.name}\n{log.read_text(errors='replace')[-SHOWN:] if log.exists() else 'was not written'}"
        for log in logs
    )


def running(pid: int) -> bool:
    """Return whether a process runs; one that merely waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
