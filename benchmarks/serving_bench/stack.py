"""What the benchmark's service holds in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from pipelines.parts.own import Service


@dataclass(frozen=True)
class Memory:
    """MiB of one worker.

    Attributes:
        own: what it alone holds, and each further worker would hold again.
        mapped: pages of files that it has touched, such as the package's: page cache, shared by all workers.
    """

    own: float
    mapped: float


def memory_of_worker(service: Service) -> Memory:
    """Return what a service's worker holds now: of its processes the one that holds most."""
    leader = psutil.Process(service.pid)
    worker = max((leader, *leader.children(recursive=True)), key=lambda process: int(process.memory_info().rss))
    return memory_of(worker.pid)


def memory_of(pid: int) -> Memory:
    """Return what a process holds, as the kernel tells it; pages that several share are split among them."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name.rstrip(":"): int(size) for name, size, *_ in lines}
    return Memory(kib["Pss_Anon"] / 1024, (kib["Pss_File"] + kib["Pss_Shmem"]) / 1024)
