"""A real RabbitMQ for tests: Debian's, a node of its own on free ports of 127.0.0.1, data in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.processes import start_child
from tests.support.parts import missing
from tests.support.ports import free_port

DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's command on PATH changes the user and the work folder; the server's own script does neither."""

READY_SECONDS = 90.0
STOP_SECONDS = 20.0


class RabbitMQ:
    """Starts, kills and stops one node and its name server (epmd).

    Args:
        folder: where data, logs, home and cookie lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._epmd_port, distribution = free_port(), free_port(), free_port()
        self._node: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None
        for name in ("home", "data", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{self._port}\nlog.console = false\n")
        (folder / "plugins").write_text("[].\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"tillwise{uuid.uuid4().hex[:8]}@localhost",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -setcookie tillwise",
        }

    @property
    def url(self) -> str:
        """URL of the default virtual host."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Start the node and return once it takes connections.

        Raises:
            RuntimeError: it does not in time; tells the end of its output.
        """
        if self._names is None:
            self._names = self._child(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"])
        self._node = self._child([_server() or "rabbitmq-server"])
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._node.poll() is None:
            if _answers(self._port):
                return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"RabbitMQ did not start: {(self._folder / 'output').read_text(errors='replace')[-1500:]}")

    def kill(self) -> None:
        """End the node as a crash would (SIGKILL); `start` brings it back with its data."""
        _end(self._node, signal.SIGKILL)

    def stop(self) -> None:
        """End the node and its name server."""
        _end(self._node, signal.SIGTERM)
        _end(self._names, signal.SIGKILL)
        self._names = None

    def _child(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / "output").open("ab") as output:
            return start_child(command, output, env=self._environment, cwd=self._folder, leads_group=True)


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """The running node; without RabbitMQ the test is skipped, in continuous integration it fails."""
    installed()
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.stop()


def installed() -> None:
    """Skip the test where RabbitMQ is not installed; fail it in continuous integration."""
    if _server() is None:
        missing("RabbitMQ", "rabbitmq-server")


def _server() -> str | None:
    return str(DEBIAN) if DEBIAN.exists() else shutil.which("rabbitmq-server")


def _answers(port: int) -> bool:
    """Return whether an AMQP server answers: it ends a connection that speaks something else with its own header."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
            probe.sendall(b"HELLO???")
            return probe.recv(4) == b"AMQP"
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    """Signal a process, and kill what is left of its group."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # nothing was left
