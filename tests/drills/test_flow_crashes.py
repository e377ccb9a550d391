"""Flows that crash, and what they rest on: what was finished is kept, and the same command completes the rest.

`make drills` kills in each stage; `make test` in two that run beside each other.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from configs import load_settings
from configs.home import read_json
from configs.processes import start_child
from pipelines.build import run_alone
from pipelines.flows.home import own_url
from pipelines.parts.record import read_up
from pipelines.processes import end_group, environment
from tests.pipelines.fake_stages import stage
from tests.pipelines.support import RememberingDisplay, settings_in
from tests.support.flows import runs_of
from tests.support.ports import free_port
from tests.support.waiting import running, wait_until

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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The command, up, with a schedule of seconds."""
    home = tmp_path_factory.mktemp("served")
    settings = load_settings(home=home, flows={"port": free_port(), "cadence": CADENCE})
    output = home / "serve.log"
    with output.open("wb") as log:
        command = [sys.executable, "-m", "pipelines.cli", "flows", "serve"]
        process = start_child(command, log, env=environment(settings), leads_group=True)
    try:
        wait_until(lambda: "Flows run on their schedules" in output.read_text(), PATIENCE_SECONDS)
        yield Served(process, output, home, own_url(settings))
    finally:
        end_group(process, PATIENCE_SECONDS)


def start_flow(home: Path, url: str) -> subprocess.Popen[bytes]:
    """Start the flow `retrain` over four small stages in a process of its own."""
    settings = settings_in(home, flows={"wait_seconds": 30.0})
    variables = environment(settings) | {"PREFECT_API_URL": url, "PREFECT_HOME": str(home / "prefect")}
    with (home / "flow.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-c", DRIVER], env=variables, stdout=log, stderr=log)


def test_a_schedule_fires_and_each_run_leaves_its_report(served: Served) -> None:
    wait_until(lambda: served.completed() >= 1, PATIENCE_SECONDS)
    assert all(run["auto_scheduled"] for run in runs_of(served.url, "compact"))


@pytest.mark.parametrize("stages", KILLED)
def test_a_flow_killed_in_a_stage_goes_on_from_what_was_finished(
    served: Served, tmp_path: Path, stages: tuple[str, ...]
) -> None:
    for name in stages:
        (tmp_path / f"hold-{name}").touch()
    flow = start_flow(tmp_path, served.url)
    notes = [tmp_path / f"{name}.pid" for name in stages]
    wait_until(lambda: all(note.exists() and note.read_text() for note in notes), PATIENCE_SECONDS)
    pids = [int(note.read_text()) for note in notes]
    before = (tmp_path / "trace.txt").read_text().split() if (tmp_path / "trace.txt").exists() else []
    flow.kill()
    flow.wait()
    wait_until(lambda: not any(running(pid) for pid in pids))
    assert not list(tmp_path.glob("**/*.partial"))
    assert sorted(path.stem for path in (tmp_path / "stages").glob("*.json")) == sorted(before)
    for name in stages:
        (tmp_path / f"hold-{name}").unlink()
    assert start_flow(tmp_path, served.url).wait(PATIENCE_SECONDS) == 0
    assert sorted((tmp_path / "trace.txt").read_text().split()) == ["end", "left", "one", "right"]


def test_prefects_server_killed_during_a_run_comes_back_and_the_run_completes(served: Served, tmp_path: Path) -> None:
    (tmp_path / "hold-one").touch()
    flow = start_flow(tmp_path, served.url)
    wait_until((tmp_path / "one.pid").exists, PATIENCE_SECONDS)
    os.kill(served.server(), signal.SIGKILL)
    wait_until(lambda: "prefect is back" in served.output.read_text(), PATIENCE_SECONDS)
    (tmp_path / "hold-one").unlink()
    assert flow.wait(PATIENCE_SECONDS) == 0, (tmp_path / "flow.log").read_text()[-3000:]
    done = served.completed()
    wait_until(lambda: served.completed() > done, PATIENCE_SECONDS)


def test_ctrl_c_ends_server_runner_and_flows(served: Served) -> None:
    family = [served.process.pid, *(child.pid for child in psutil.Process(served.process.pid).children(recursive=True))]
    assert len(family) >= 3
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(PATIENCE_SECONDS) == 130
    wait_until(lambda: not any(running(pid) for pid in family))
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
