"""The parts of a drill: real processes that are killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import httpx

from configs.processes import start_child
from events.embedded import EmbeddedRedis
from tests.support.ports import free_port
from tests.support.rabbitmq import RabbitMQ

STOP_SECONDS = 120.0
COLLECT = (
    "import sys, time, uvicorn; from configs import load_settings; from serving.app import make_collector_app; "
    "uvicorn.run(make_collector_app(load_settings(), time.time), port=int(sys.argv[1]), log_level='warning', ws='none')"
)


class Part(Protocol):
    """What a drill kills."""

    name: str
    kills: int

    def start(self) -> None:
        """Start it, for the first time or again after it was killed."""

    def kill(self) -> None:
        """End it as a crash does (SIGKILL), and wait for its end."""


class Process:
    """One of our own processes.

    Args:
        name: of the part. arguments: of Python. environment: of the process. folder: where its output goes.
    """

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name, self.kills = name, 0
        self._arguments, self._environment = arguments, environment
        self._output = folder / f"{name}.log"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """See `Part.start`; returns at once."""
        with self._output.open("ab") as output:
            self._child = start_child([sys.executable, *self._arguments], output, env=os.environ | self._environment)

    def kill(self) -> None:
        """See `Part.kill`.

        Raises:
            AssertionError: it had ended by itself.
        """
        assert self._child is not None
        assert self._child.poll() is None, f"{self.name} ended by itself: {self.said()}"
        self._child.kill()
        self._child.wait()
        self.kills += 1

    def end(self) -> int:
        """Ask it to end and return its exit code."""
        assert self._child is not None
        self._child.send_signal(signal.SIGTERM)
        return self._child.wait(STOP_SECONDS)

    def clear(self) -> None:
        """End it however it is."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def said(self) -> str:
        """Return the end of its output."""
        return self._output.read_text(errors="replace")[-2_000:]


class RedisPart:
    """A Redis with the embedded one's settings."""

    def __init__(self, folder: Path) -> None:
        self.name, self.kills, self._server = "redis", 0, EmbeddedRedis(free_port(), folder)
        self.url, self.start, self.clear = self._server.url, self._server.start, self._server.stop

    def kill(self) -> None:
        """See `Part.kill`."""
        assert self._server.pid is not None
        os.kill(self._server.pid, signal.SIGKILL)
        self._server.stop()  # waits for its end
        self.kills += 1


class RabbitPart:
    """A RabbitMQ node."""

    def __init__(self, folder: Path) -> None:
        self.name, self.kills, self._server = "rabbitmq", 0, RabbitMQ(folder)
        self.url, self.start, self.clear = self._server.url, self._server.start, self._server.stop

    def kill(self) -> None:
        """See `Part.kill`."""
        self._server.kill()
        self.kills += 1


def collector(port: int, environment: Mapping[str, str], folder: Path) -> Process:
    """Return the collector, listening on a port."""
    return Process("collector", ["-c", COLLECT, str(port)], environment, folder)


def command(name: str, environment: Mapping[str, str], folder: Path, number: int) -> Process:
    """Return what `tillwise NAME` runs."""
    return Process(f"{name}-{number}", ["-m", "pipelines.cli", name], environment, folder)


def wait_until_answers(url: str) -> None:
    """Return once an HTTP server answers anything."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=2)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} does not answer")
