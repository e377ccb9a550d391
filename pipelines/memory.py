"""How much memory a process and everything it started hold together, sampled while they run."""

from __future__ import annotations

import time

import psutil

MIB = 2**20

EVERY_SECONDS = 1.0
"""Shortest time between two looks: counting shared pages of gigabytes costs a good part of a core."""


class MemoryMeter:
    """Peak memory of a process tree, in MiB; pages that its processes share count once where the system tells."""

    def __init__(self, pid: int) -> None:
        self._pid, self._next = pid, 0.0
        self.peak_mb = 0.0

    def sample(self) -> None:
        """Look, unless it is too early for it; a tree that is gone changes nothing."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        try:
            root = psutil.Process(self._pid)
            tree = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        held = _resident(root) if len(tree) == 1 else sum(map(_with_shared_once, tree))
        self.peak_mb = max(self.peak_mb, held / MIB)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it ended meanwhile, or the system does not let us look
        return 0


def _with_shared_once(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(memory, "pss", memory.rss))
