"""One process at a time: an advisory lock on a file that also says who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from configs.errors import AlreadyRunningError


@contextlib.contextmanager
def exclusive(path: Path, *, what: str) -> Iterator[None]:
    """Hold the lock while the block runs; the system frees it however the process ends.

    Args:
        path: the lock file; it is left in place, since removing it would let two processes hold "the" lock.
        what: what the lock stands for, as in "A build".

    Raises:
        AlreadyRunningError: another process holds it; the message names its pid.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise AlreadyRunningError(
                f"{what} is already under way in {path.parents[1]} (process {holder}): wait for it, stop it, or "
                "use another work folder (TILLWISE_HOME)."
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
