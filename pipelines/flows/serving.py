"""`tillwise flows serve`: Prefect's server and UI, and the runner that starts flows when they are due."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial

import psutil

from configs import Settings
from configs.home import read_json
from pipelines.flows.home import API_URL, SERVED, SERVER_SECONDS, own_url, prefect_environment
from pipelines.flows.runner_beat import BEAT
from pipelines.parts.base import Part
from pipelines.parts.command import CommandPart
from pipelines.parts.ports import require_free
from pipelines.parts.probe import says_ok
from pipelines.parts.supervisor import Supervisor, Tell

RUNNER_SECONDS = 120.0
PROBE_SECONDS = 5.0
STOP_SECONDS = 10.0


@contextlib.contextmanager
def serving_flows(settings: Settings, tell: Tell) -> Iterator[Supervisor]:
    """Keep server and runner running while the block lasts; yield their supervisor.

    With `PREFECT_API_URL` set, that server is used and none is started.

    Raises:
        AlreadyRunningError, PortBusyError: before anything is started.
        PartError: a part did not become ready.
    """
    with Supervisor(settings.work, parts_of(settings), tell, name=SERVED, what="Serving flows") as supervisor:
        yield supervisor


def parts_of(settings: Settings) -> list[Part]:
    """Return the parts in the order in which they start.

    Raises:
        PortBusyError: the server is ours to start, and its port is taken.
    """
    given = os.environ.get(API_URL)
    variables = prefect_environment(settings) | {API_URL: given or own_url(settings)}
    parts: list[Part] = []
    if not given:
        require_free("127.0.0.1", settings.flows.port, "Prefect's server", "TILLWISE_FLOWS__PORT")
        port = str(settings.flows.port)
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
        ready = partial(server_is_ready, own_url(settings))
        parts.append(
            FlowsPart("prefect", command, settings, is_ready=ready, deadline=SERVER_SECONDS, variables=variables)
        )
    command = [sys.executable, "-m", "pipelines.flows.runner"]
    ready = partial(runner_is_ready, settings)
    parts.append(FlowsPart("flows", command, settings, is_ready=ready, deadline=RUNNER_SECONDS, variables=variables))
    return parts


def server_is_ready(url: str, pid: int) -> bool:
    """Return whether the server's API says that it is well."""
    return says_ok(f"{url}/health", PROBE_SECONDS)


def runner_is_ready(settings: Settings, pid: int) -> bool:
    """Return whether the runner with this process id has told the server of its flows."""
    beat = read_json(settings.work.run / BEAT)
    return beat is not None and beat["pid"] == pid


class FlowsPart(CommandPart):
    """A part whose children may lead groups of their own: they end with it."""

    def stop(self) -> None:
        """See `Part.stop`."""
        children = _children(self.pid)
        super().stop()
        end_all(children)


def end_all(processes: Sequence[psutil.Process]) -> None:
    """End processes that still run: they are asked to, and then made to."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(processes, STOP_SECONDS)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _children(pid: int | None) -> list[psutil.Process]:
    try:
        return [] if pid is None else psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
