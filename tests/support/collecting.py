"""The collector under a real server, in this process: Segment's clients and hostile bodies are sent to it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import redis
import uvicorn

from configs import Settings
from events.brokers import DeadLetter, connect
from events.contract import Event, decode
from serving.app import make_collector_app
from tests.support.ports import free_port
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Collecting:
    """A running collector: its URL and the settings of its broker."""

    url: str
    settings: Settings

    def events(self) -> list[Event]:
        """Return what the streams hold, in the order of receipt."""
        with redis.Redis.from_url(self.settings.redis_url) as client:
            streams = [f"{self.settings.events.stream}:{number}" for number in range(self.settings.events.partitions)]
            found = [decode(fields[b"e"]) for stream in streams for _, fields in client.xrange(stream)]
        return sorted(found, key=lambda event: event.received_at)

    def dead_letters(self) -> list[DeadLetter]:
        """Return what was rejected, in order."""

        async def inside() -> list[DeadLetter]:
            broker = connect(self.settings)
            letters = await broker.dead_letters(1_000)
            await broker.close()
            return letters

        return asyncio.run(inside())


@contextlib.contextmanager
def collecting(settings: Settings) -> Iterator[Collecting]:
    """Run the collector on a free port while the block lasts."""
    port = free_port()
    app = make_collector_app(settings, time.time)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield Collecting(f"http://127.0.0.1:{port}", settings)
    finally:
        server.should_exit = True
        thread.join()
