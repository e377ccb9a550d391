"""The embedded Redis as a part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil

from configs import Settings
from events.embedded import EmbeddedRedis
from pipelines.parts.base import Part

READY_SECONDS = 30.0


class RedisPart(Part):
    """Runs the embedded Redis on the configured port, its data in the work folder.

    Args:
        settings: port and work folder.
        after_ready: writes the features that the service reads, if this Redis does not hold them.
    """

    def __init__(self, settings: Settings, after_ready: Callable[[], None]) -> None:
        self.name = "redis"
        self.log: Path = settings.work.redis / "redis.log"
        self.deadline = READY_SECONDS
        self.after_ready = after_ready
        self._server = EmbeddedRedis(settings.redis.port, settings.work.redis)

    @property
    def pid(self) -> int | None:
        """Process id; None before the first start."""
        return self._server.pid

    def start(self) -> None:
        """Start the server; returns when it answers."""
        self._server.start()

    def alive(self) -> bool:
        """Return whether the server process runs."""
        pid = self._server.pid
        return pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

    def ready(self) -> bool:
        """Return whether it answers: `start` has waited for that."""
        return self.alive()

    def stop(self) -> None:
        """Save and end the server."""
        self._server.stop()
