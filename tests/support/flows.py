"""A Prefect server for tests: one a test run, nothing of which outlives it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from configs import load_settings
from configs.processes import start_child
from pipelines.flows.home import API_URL, SERVER_SECONDS, prefect_environment
from pipelines.parts.probe import says_ok
from pipelines.processes import end_group
from tests.support.ports import free_port


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of its API. Nobody is told of it: commands that a test starts would use it instead of a server of theirs."""
    home, port = tmp_path_factory.mktemp("prefect"), free_port()
    url = f"http://127.0.0.1:{port}/api"
    variables = prefect_environment(load_settings(home=home)) | {API_URL: url}
    with (home / "server.log").open("wb") as log:
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        server = start_child(command, log, env=os.environ | variables, leads_group=True)
    try:
        wait_until_healthy(url, home / "server.log")
        yield url
    finally:
        end_group(server)


@pytest.fixture
def prefect_here(prefect_server: str, tmp_path: Path) -> Iterator[str]:
    """The server, to which flows of this process report while the test runs."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    with temporary_settings({PREFECT_API_URL: prefect_server, PREFECT_HOME: tmp_path / "prefect"}):
        yield prefect_server


def wait_until_healthy(url: str, log: Path) -> None:
    """Return once a Prefect server answers; fail the test when it does not in time."""
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline:
        if says_ok(f"{url}/health", 5):
            return
        time.sleep(0.2)
    pytest.fail(f"Prefect's server did not start: {log.read_text(errors='replace')[-2000:]}")


def runs_of(url: str, flow: str) -> list[dict[str, object]]:
    """Return the runs of a flow that a server knows, the newest first."""
    wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_DESC"}
    answer = httpx.post(f"{url}/flow_runs/filter", json=wanted, timeout=30)
    answer.raise_for_status()
    found: list[dict[str, object]] = answer.json()
    return found
