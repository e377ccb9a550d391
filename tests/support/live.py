"""The live stack for tests: real Redis, consumer and BentoML service as processes, on the corner shop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from configs import Settings, SilentProgress
from events.embedded import EmbeddedRedis
from features.store import materialize
from pipelines.parts.probe import says_ok
from tests.support.ports import free_port

READY_SECONDS = 90.0
STOP_SECONDS = 20.0


def _client() -> httpx.Client:
    """Return a client that opens a connection for each request; each new client would load certificates first."""
    return httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Live:
    """What runs: the service's URL, its settings, its Redis."""

    url: str
    settings: Settings
    redis: EmbeddedRedis
    http: httpx.Client = field(default_factory=_client)

    def post(self, path: str, body: Any) -> httpx.Response:
        """Return the answer to a JSON body."""
        return self.http.post(f"{self.url}{path}", json=body)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.http.get(f"{self.url}{path}", params=params)


@pytest.fixture(scope="session")
def live_service(built_shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The stack, up and ready; shared by all tests, which therefore use sessions of their own."""
    folder = tmp_path_factory.mktemp("live")
    port = free_port()
    with EmbeddedRedis(free_port(), folder / "redis") as server:
        settings = built_shop.model_copy(
            update={
                "redis": built_shop.redis.model_copy(update={"url": server.url}),
                "serving": built_shop.serving.model_copy(
                    update={
                        "port": port,
                        "package": built_shop.work.model,
                        "redis_timeout_ms": 250.0,
                        "rules": shutil.copy(built_shop.serving.rules_file, folder / "rules.yaml"),
                    }
                ),
            }
        )
        materialize(settings, SilentProgress())
        with _process("consume", settings, folder), _process("serve", settings, folder) as service:
            _wait_until_ready(settings.service_url, service, folder / "serve.log")
            yield Live(settings.service_url, settings, server)


class _process:  # noqa: N801 - used as a with-statement's verb
    """A `tillwise` command in a process group of its own, ended with the block."""

    def __init__(self, command: str, settings: Settings, folder: Path) -> None:
        self._command, self._log = command, folder / f"{command}.log"
        self._environment = os.environ | {
            "TILLWISE_HOME": str(settings.work.root),
            "TILLWISE_DATASET": settings.dataset,
            "TILLWISE_REDIS__URL": settings.redis_url,
            "TILLWISE_SERVING__PORT": str(settings.serving.port),
            "TILLWISE_SERVING__PACKAGE": str(settings.serving.package),
            "TILLWISE_SERVING__RULES": str(settings.serving.rules_file),
            "TILLWISE_SERVING__REDIS_TIMEOUT_MS": str(settings.serving.redis_timeout_ms),
        }

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "pipelines.cli", self._command],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._child

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()


def _wait_until_ready(url: str, service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        if says_ok(f"{url}/readyz", 2):
            return
        time.sleep(0.2)
    pytest.fail(f"the service did not become ready: {log.read_text(errors='replace')[-2000:]}")
