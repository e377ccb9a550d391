"""The processes of the benchmark, on free ports of this machine, ended with the block that asked for them."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.profiles import free_port
from configs import Settings, SilentProgress
from configs.errors import PartError
from events.embedded import EmbeddedRedis
from features.store import materialize
from pipelines.parts.base import Part
from pipelines.parts.command import CommandPart
from pipelines.parts.up import consumer_is_ready, service_is_ready

READY_SECONDS = 180.0
TICK_SECONDS = 0.05
TILLWISE = (sys.executable, "-m", "pipelines.cli")


@dataclass(frozen=True)
class Service:
    """The running service: its settings, its process group's leader, and seconds from its start until ready."""

    settings: Settings
    pid: int
    start_seconds: float

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self.settings.serving.port

    def memory(self) -> Memory:
        """Return what its worker holds now: of its processes the one that holds most."""
        leader = psutil.Process(self.pid)
        worker = max((leader, *leader.children(recursive=True)), key=lambda process: int(process.memory_info().rss))
        return memory_of(worker.pid)


@dataclass(frozen=True)
class Memory:
    """MiB of one worker.

    Attributes:
        own: what it alone holds, and each further worker would hold again.
        mapped: pages of files that it has touched, such as the package's: page cache, shared by all workers.
    """

    own: float
    mapped: float


def memory_of(pid: int) -> Memory:
    """Return what a process holds, as the kernel tells it; pages that several share are split among them."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name.rstrip(":"): int(size) for name, size, *_ in lines}
    return Memory(kib["Pss_Anon"] / 1024, (kib["Pss_File"] + kib["Pss_Shmem"]) / 1024)


@contextmanager
def redis_with_features(settings: Settings) -> Iterator[Settings]:
    """Run a Redis with the features of every shopper and product; yield settings that use it, also for events."""
    with tempfile.TemporaryDirectory() as name, EmbeddedRedis(free_port(), Path(name)) as server:
        changed = {
            "redis": changed_section(settings.redis, url=server.url),
            "events": changed_section(settings.events, broker_url=None),
        }
        own = settings.model_copy(update=changed)
        materialize(own, SilentProgress())
        yield own


@contextmanager
def service(settings: Settings, package: Path) -> Iterator[Service]:
    """Run the service, one worker, on a package and a free port; yield it once it is ready."""
    changed = changed_section(settings.serving, host="127.0.0.1", port=free_port(), workers=1, package=package)
    own = settings.model_copy(update={"serving": changed})
    with running(service_part(own)) as up:
        yield Service(own, *up)


def service_part(settings: Settings) -> CommandPart:
    """Return the service as `tillwise serve` runs it by the settings, not started yet."""
    ready = partial(service_is_ready, settings)
    return CommandPart("bench-service", [*TILLWISE, "serve"], settings, is_ready=ready, deadline=READY_SECONDS)


@contextmanager
def consumer(settings: Settings) -> Iterator[None]:
    """Run the consumer that keeps sessions, until the block ends."""
    ready = partial(consumer_is_ready, settings)
    part = CommandPart("bench-consumer", [*TILLWISE, "consume"], settings, is_ready=ready, deadline=READY_SECONDS)
    with running(part):
        yield


@contextmanager
def running(part: Part) -> Iterator[tuple[int, float]]:
    """Start a part; yield its pid and the seconds it took to be ready.

    Raises:
        PartError: it ended, or is not ready in time; tells the end of its log.
    """
    started = time.perf_counter()
    part.start()
    try:
        while not part.ready():
            if not part.alive() or time.perf_counter() - started > part.deadline:
                raise PartError(f"{part.name} did not become ready: {part.last_words()}")
            time.sleep(TICK_SECONDS)
        assert part.pid is not None
        yield part.pid, time.perf_counter() - started
    finally:
        part.stop()


def changed_section(section: Any, **values: Any) -> Any:
    """Return a section of the settings with other values."""
    return section.model_copy(update=values)
