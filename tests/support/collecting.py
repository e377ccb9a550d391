"""The collector under a real server, in this process: Segment's clients and hostile bodies are sent to it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import redis
import uvicorn

from configs import Settings
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
        """Return what the stream holds, in order."""
        with redis.Redis.from_url(self.settings.redis_url) as client:
            return [decode(fields[b"e"]) for _, fields in client.xrange(self.settings.events.stream)]

    def dead_letters(self) -> list[dict[str, str]]:
        """Return what was rejected, in order."""
        with redis.Redis.from_url(self.settings.redis_url) as client:
            letters = client.xrange(f"{self.settings.events.stream}:dead")
        return [{name.decode(): value.decode(errors="replace") for name, value in item.items()} for _, item in letters]


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
