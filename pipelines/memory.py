"""How much memory a process and everything it started hold together, sampled while they run."""

from __future__ import annotations

import psutil

MIB = 2**20


class MemoryMeter:
    """Peak memory of a process tree, in MiB; pages that its processes share count once where the system tells."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak_mb = 0.0

    def sample(self) -> None:
        """Look once; a tree that is gone changes nothing."""
        try:
            root = psutil.Process(self._pid)
            tree = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        self.peak_mb = max(self.peak_mb, sum(map(_resident, tree)) / MIB)


def _resident(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:  # it ended meanwhile, or the system does not let us look
        return 0
    return int(getattr(memory, "pss", memory.rss))
