"""One look at a time: whoever comes second waits."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from configs import Settings


@contextmanager
def turn(settings: Settings) -> Iterator[None]:
    """Wait for other looks of this work folder to end, and hold the place while the block runs."""
    path = settings.work.run / "monitor.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # freed by the system however the process ends
        yield
