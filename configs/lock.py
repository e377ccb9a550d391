"""One process at a time: an advisory lock on a file that also says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from configs.errors import AlreadyRunningError

AGAIN_SECONDS = 0.05


@contextlib.contextmanager
def exclusive(path: Path, *, what: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock while the block runs; the system frees it however the process ends.

    Args:
        path: the lock file; it is left in place, since removing it would let two processes hold "the" lock.
        what: what the lock stands for, as in "A build".
        patience: seconds to wait for whoever holds it.

    Raises:
        AlreadyRunningError: another process holds it, still; the message names its pid.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as handle:
        if not _taken(handle, patience):
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise AlreadyRunningError(
                f"{what} is already under way in {path.parents[1]} (process {holder}): wait for it, stop it, or "
                "use another work folder (TILLWISE_HOME)."
            )
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _taken(handle: IO[str], patience: float) -> bool:
    """Take the lock as soon as it is free; return whether that was before patience ended."""
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(AGAIN_SECONDS)
        else:
            return True
