"""Flows that crash, and what they rest on: what was finished is kept, and the same command completes the rest.

`make drills` kills in each stage; `make test` in two that run beside each other.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from configs import Settings, load_settings
from configs.home import read_json
from configs.processes import start_child
from pipelines.build import run_alone
from pipelines.flows.home import own_url
from pipelines.parts.record import read_up
from pipelines.processes import end_group, environment, kill_group
from tests.pipelines.fake_stages import stage
from tests.pipelines.support import RememberingDisplay, settings_in
from tests.support.flows import runs_of
from tests.support.ports import free_port
from tests.support.waiting import ends_of, running, wait_until

KILLED = [("one",), ("left", "right"), ("end",)] if os.environ.get("DRILLS") == "full" else [("left", "right")]
PATIENCE_SECONDS = 180.0
CADENCE = {"ingest": None, "materialize": None, "retrain": None, "monitor": None, "compact": 12.0}
DRIVER = """
import sys
from pathlib import Path
from pipelines import stages
from pipelines.flows import definitions
from pipelines.flows.run import run_now
from tests.pipelines.fake_stages import DIAMOND
stages.STAGES, definitions.BUILD = DIAMOND, "end"
run_now("retrain", None, force=False)
"""


@dataclass
class Served:
    """`tillwise flows serve` in a work folder: its process, where its output goes, the URL of Prefect's API."""

    process: subprocess.Popen[bytes]
    output: Path
    home: Path
    url: str

    def completed(self) -> int:
        """Return how many runs of `compact`, which nobody but the schedule starts, are completed."""
        return sum(run["state_type"] == "COMPLETED" for run in runs_of(self.url, "compact"))

    def server(self) -> int:
        """Return the process id of Prefect's server."""
        record = read_up(load_settings(home=self.home).work, "flows")
        assert record is not None
        return record.parts["prefect"].pid

    def told(self) -> str:
        """Return what became of the command, and the ends of its log and of those of its parts."""
        code = self.process.poll()
        how = "runs" if code is None else f"ended with exit code {code}"
        return f"`flows serve` {how}\n{ends_of(self.output, *sorted((self.home / 'logs').glob('*.log')))}"

    def wait_until(self, condition: Callable[[], bool], flow: Flow | None = None) -> None:
        """Wait as long as the command runs; fail with everything that its parts and the flow said."""
        wait_until(
            lambda: condition() or self.process.poll() is not None,
            PATIENCE_SECONDS,
            lambda: self.told() + ("" if flow is None else flow.told()),
        )
        assert self.process.poll() is None, self.told()


@dataclass
class Flow:
    """The flow `retrain` over four small stages, in a process of its own: where it works, and the process."""

    home: Path
    process: subprocess.Popen[bytes]

    def told(self) -> str:
        """Return the ends of its logs."""
        return ends_of(self.home / "flow.log", *sorted((self.home / "logs").glob("*.log")))

    def at_work_in(self, *stages: str) -> bool:
        """Return whether it is in the middle of these stages; fail if it ended before."""
        assert self.process.poll() is None, self.told()
        return all(self.pid_of(stage) is not None for stage in stages)

    def pid_of(self, stage: str) -> int | None:
        """Return the process id of a stage that has begun to write; None: it has not."""
        note = self.home / f"{stage}.pid"
        return int(note.read_text()) if note.exists() and note.read_text() else None

    def ends_well(self) -> None:
        """Wait for its end; fail if it failed."""
        wait_until(lambda: self.process.poll() is not None, PATIENCE_SECONDS, self.told)
        assert self.process.returncode == 0, self.told()


def without_prefect(settings: Settings) -> dict[str, str]:
    """Return the environment of a command that is told of no server of Prefect's."""
    return {name: value for name, value in environment(settings).items() if not name.startswith("PREFECT_")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The command, up, with a schedule of seconds."""
    home = tmp_path_factory.mktemp("served")
    settings = load_settings(home=home, flows={"port": free_port(), "cadence": CADENCE})
    output = home / "serve.log"
    with output.open("wb") as log:
        command = [sys.executable, "-m", "pipelines.cli", "flows", "serve"]
        process = start_child(command, log, env=without_prefect(settings), leads_group=True)
    try:
        up = Served(process, output, home, own_url(settings))
        up.wait_until(lambda: "Flows run on their schedules" in output.read_text())
        yield up
    finally:
        end_group(process, PATIENCE_SECONDS)


@contextlib.contextmanager
def flow_in(home: Path, url: str) -> Iterator[Flow]:
    """Run the flow on a server; kill it if it still runs when the block ends."""
    settings = settings_in(home, flows={"wait_seconds": 30.0})
    variables = without_prefect(settings) | {"PREFECT_API_URL": url, "PREFECT_HOME": str(home / "prefect")}
    with (home / "flow.log").open("ab") as log:
        process = start_child([sys.executable, "-c", DRIVER], log, env=variables, leads_group=True)
    try:
        yield Flow(home, process)
    finally:
        kill_group(process)


def test_a_schedule_fires_and_each_run_leaves_its_report(served: Served) -> None:
    served.wait_until(lambda: served.completed() >= 1)
    assert all(run["auto_scheduled"] for run in runs_of(served.url, "compact"))


@pytest.mark.parametrize("stages", KILLED)
def test_a_flow_killed_in_a_stage_goes_on_from_what_was_finished(
    served: Served, tmp_path: Path, stages: tuple[str, ...]
) -> None:
    for name in stages:
        (tmp_path / f"hold-{name}").touch()
    with flow_in(tmp_path, served.url) as flow:
        served.wait_until(lambda: flow.at_work_in(*stages), flow)
        pids = [flow.pid_of(name) for name in stages]
        before = (tmp_path / "trace.txt").read_text().split() if (tmp_path / "trace.txt").exists() else []
        flow.process.kill()
        flow.process.wait()
    wait_until(lambda: not any(running(pid) for pid in pids if pid is not None), tell=flow.told)
    assert not list(tmp_path.glob("**/*.partial"))
    assert sorted(path.stem for path in (tmp_path / "stages").glob("*.json")) == sorted(before)
    for name in stages:
        (tmp_path / f"hold-{name}").unlink()
    with flow_in(tmp_path, served.url) as again:
        again.ends_well()
    assert sorted((tmp_path / "trace.txt").read_text().split()) == ["end", "left", "one", "right"]


def test_prefects_server_killed_during_a_run_comes_back_and_the_run_completes(served: Served, tmp_path: Path) -> None:
    (tmp_path / "hold-one").touch()
    with flow_in(tmp_path, served.url) as flow:
        served.wait_until(lambda: flow.at_work_in("one"), flow)
        os.kill(served.server(), signal.SIGKILL)
        served.wait_until(lambda: "prefect is back" in served.output.read_text(), flow)
        (tmp_path / "hold-one").unlink()
        flow.ends_well()
    done = served.completed()
    served.wait_until(lambda: served.completed() > done)


def test_ctrl_c_ends_server_runner_and_flows(served: Served) -> None:
    family = [served.process.pid, *(child.pid for child in psutil.Process(served.process.pid).children(recursive=True))]
    assert len(family) >= 3
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(PATIENCE_SECONDS) == 130, served.told()
    wait_until(lambda: not any(running(pid) for pid in family), tell=served.told)
    assert read_json(served.home / "run" / "flows.json") is None


def test_two_decisions_at_once_are_made_one_after_the_other(tmp_path: Path) -> None:
    settings, table = settings_in(tmp_path), (stage("decides", lock="aliases"),)
    deciding = [
        threading.Thread(target=run_alone, args=(settings, "decides", RememberingDisplay(), {}, table)) for _ in "12"
    ]
    for thread in deciding:
        thread.start()
        time.sleep(0.05)
    for thread in deciding:
        thread.join()
    assert (tmp_path / "decided.txt").read_text().split() == ["in", "out", "in", "out"]
