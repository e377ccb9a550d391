"""Waiting for what another process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

PATIENCE_SECONDS = 30.0


def wait_until(condition: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> None:
    """Return as soon as the condition holds; fail the test when it does not within so many seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def running(pid: int) -> bool:
    """Return whether a process runs; one that merely waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
