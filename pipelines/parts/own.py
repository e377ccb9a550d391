"""A stack of one's own beside whatever else runs: Redis with features, consumer and service, ended with the block.

Everything listens on free ports of this machine. Called by the trial and by benchmarks.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from configs import Settings, SilentProgress
from configs.errors import PartError
from events.embedded import EmbeddedRedis
from features.store import materialize
from pipelines.parts.base import Part
from pipelines.parts.command import CommandPart
from pipelines.parts.ports import free_port
from pipelines.parts.up import consumer_is_ready, service_is_ready

READY_SECONDS = 180.0
TICK_SECONDS = 0.05
TILLWISE = (sys.executable, "-m", "pipelines.cli")
HOME = ".{name}."
"""Start of the name of a work folder of one's own; with `.partial` at its end a build clears up what was killed."""


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


@contextmanager
def own_home(settings: Settings, name: str) -> Iterator[Settings]:
    """Yield settings of a work folder of one's own with links to the data and feature tables of the given one.

    What runs there leaves no trace among the logs, pointers and feature registry of what may be up at the same time.
    """
    work, start = settings.work, HOME.format(name=name)
    for stale in work.root.glob(f"{start}*.partial"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=start, suffix=".partial", dir=work.root) as folder:
        own = settings.model_copy(update={"home": Path(folder)})
        own.work.data.symlink_to(work.data)
        own.work.features.mkdir()
        for table in (*work.features.glob("*.parquet"), *work.features.glob("*.json")):
            (own.work.features / table.name).symlink_to(table)
        if work.suppressed.exists():
            own.work.suppressed.symlink_to(work.suppressed)
        yield own


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
def service(settings: Settings, package: Path, name: str) -> Iterator[Service]:
    """Run the service, one worker, on a package and a free port; yield it once it is ready. `name`: of its log."""
    changed = changed_section(settings.serving, host="127.0.0.1", port=free_port(), workers=1, package=package)
    own = settings.model_copy(update={"serving": changed})
    with running(service_part(own, name)) as up:
        yield Service(own, *up)


def service_part(settings: Settings, name: str) -> CommandPart:
    """Return the service as `tillwise serve` runs it by the settings, not started yet."""
    return _part(name, "serve", settings, service_is_ready)


@contextmanager
def consumer(settings: Settings, name: str) -> Iterator[None]:
    """Run the consumer that keeps sessions, until the block ends."""
    with running(_part(name, "consume", settings, consumer_is_ready)):
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


def _part(name: str, command: str, settings: Settings, is_ready: Callable[[Settings, int], bool]) -> CommandPart:
    return CommandPart(
        name, [*TILLWISE, command], settings, is_ready=partial(is_ready, settings), deadline=READY_SECONDS
    )
