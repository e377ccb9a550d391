"""Publishing to the broker that settings name, asking how far a group is, and consumers as real processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence

from configs import Settings
from events.brokers import Lag, connect
from events.contract import Event
from pipelines.processes import environment

AT_A_TIME = 100


def publish(settings: Settings, events: Sequence[Event]) -> None:
    """Publish events in their order, some at a time."""

    async def inside() -> None:
        async with connect(settings) as broker:
            for start in range(0, len(events), AT_A_TIME):
                await broker.publish(events[start : start + AT_A_TIME])

    asyncio.run(inside())


def lag(settings: Settings, group: str | None = None) -> Lag:
    """Return how far a group is behind, the profiles' if none is named."""

    async def inside() -> Lag:
        async with connect(settings, group) as broker:
            return await broker.lag()

    return asyncio.run(inside())


class Child:
    """A process of ours with exactly these settings; killed, if it still runs, when the block ends.

    Args:
        settings: it is given. code: Python that it runs.
    """

    def __init__(self, settings: Settings, code: str) -> None:
        self._code, self._environment = code, environment(settings)

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen([sys.executable, "-c", self._code], env=self._environment)
        return self._child

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
