"""The whole chain on the corner shop, with every real part: build, Redis, consumer, service, replay, status, down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.stages import STAGES as TABLE
from tests.pipelines.test_cli import DATASET, ROOT
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e
STAGES = [stage.name for stage in TABLE]
AREAS = ["data", "features", "model", "redis", "consumer", "recorder", "service"]
SESSIONS, TRIED = 60, 20


@dataclass
class Shop:
    """A work folder with ports of its own."""

    home: Path
    service_port: int
    redis_port: int

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TILLWISE_")}
        return clean | {
            "TILLWISE_HOME": str(self.home),
            "TILLWISE_DATASET": str(DATASET),
            "TILLWISE_MIN_FREE_GB": "0",
            "TILLWISE_SERVING__PORT": str(self.service_port),
            "TILLWISE_REDIS__PORT": str(self.redis_port),
            "TILLWISE_SERVING__REDIS_TIMEOUT_MS": "2000",  # no fallback, however busy the machine
            "TILLWISE_REPLAY__SESSIONS": str(SESSIONS),
            "TILLWISE_REGISTRY__GATE__TRIAL_SESSIONS": str(TRIED),
            "TILLWISE_REGISTRY__GATE__TRIAL_P99_MS": "2000",  # nor a refusal
            "TILLWISE_TRAINING__MAX_BASKETS": "800",
            "TILLWISE_TRAINING__TREES": "30",
            "TILLWISE_EVALUATION__BOOTSTRAP_SAMPLES": "200",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=400)
        assert process.returncode == code, out + err
        return out

    def ask(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def processes(self) -> list[psutil.Process]:
        """Return every process that runs for this work folder."""
        return [process for process in psutil.process_iter() if str(self.home) in _environment_of(process)]


def states_of(status: dict[str, Any]) -> dict[str, str]:
    return {name: area["state"] for name, area in status.items() if name != "at"}


def _environment_of(process: psutil.Process) -> str:
    try:
        return f"{process.environ().get('TILLWISE_HOME', '')} {' '.join(process.cmdline())}"
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("end_to_end"), free_port(), free_port())
    yield shop
    shop.run("down")


@pytest.fixture(scope="module")
def first_run(shop: Shop) -> str:
    """What the first `run --once` printed."""
    return shop.run("run", "--once")


@pytest.fixture(scope="module")
def first_report(shop: Shop, first_run: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((shop.home / "reports" / "replay.json").read_text())
    return report


def test_one_command_builds_serves_and_replays(shop: Shop, first_run: str, first_report: dict[str, Any]) -> None:
    for stage in STAGES:
        assert f"\n{stage}: read " in f"\n{first_run}"
    assert "hit rate" in first_run
    assert set(first_report["arms"]) == {"model", "frequently_bought_together", "popularity"}
    for figures in first_report["arms"].values():
        assert figures["sessions"] == SESSIONS
        assert figures["ci95"][0] <= figures["hit_rate"] <= figures["ci95"][1]
    assert set(first_report["latency_ms"]) == {"p50", "p95", "p99"}
    assert first_report["errors"] == 0
    assert first_report["requests"] == SESSIONS * 5
    assert {"made_by", "at", "code", "data"} <= set(first_report)


def test_recommendations_came_from_the_events_of_each_session(first_report: dict[str, Any]) -> None:
    assert first_report["sessions_with_complete_cart"] == SESSIONS


def test_the_model_finds_more_than_popularity_does(first_report: dict[str, Any]) -> None:
    arms = first_report["arms"]
    assert arms["model"]["hit_rate"] > arms["popularity"]["hit_rate"]


@pytest.mark.usefixtures("first_run")
def test_the_version_was_tried_in_a_service_of_its_own_before_it_passed_the_gate(shop: Shop) -> None:
    tried = json.loads((shop.home / "reports" / "trial.json").read_text())
    assert (tried["trouble"], tried["errors"], tried["answered_by"]) == (None, 0, [tried["package"]])
    assert tried["sessions_with_complete_cart"] == tried["sessions"] == TRIED
    verdict = json.loads((shop.home / "reports" / "gate.json").read_text())
    assert verdict["package"] == tried["package"]
    assert [check["name"] for check in verdict["checks"] if not check["passed"]] == []


def test_nothing_runs_once_it_is_over(shop: Shop, first_run: str) -> None:
    assert shop.processes() == []
    assert not list(shop.home.glob("**/*.partial"))


@pytest.mark.usefixtures("first_run")
def test_a_second_run_reuses_everything_and_hits_just_as_often(shop: Shop, first_report: dict[str, Any]) -> None:
    printed = shop.run("run", "--once")
    for stage in STAGES:
        assert f"{stage}: unchanged since" in printed
    again = json.loads((shop.home / "reports" / "replay.json").read_text())
    assert again["fallbacks"] == first_report["fallbacks"] == 0
    assert again["arms"] == first_report["arms"]


@pytest.mark.usefixtures("first_run")
def test_what_is_up_in_the_background_can_be_looked_at_and_taken_down(shop: Shop) -> None:
    up = shop.ask("up", "--detach")
    assert set(up["parts"]) == {"redis", "consumer", "recorder", "follower", "service"}
    status = shop.ask("status")
    assert states_of(status) == dict.fromkeys(AREAS, "ok")
    assert status["consumer"]["facts"]["events_waiting"] == 0
    assert "already up" in shop.start("up").communicate(timeout=60)[1]
    assert "already up" in shop.start("run").communicate(timeout=60)[1]

    os.kill(up["parts"]["redis"]["pid"], signal.SIGKILL)
    wait_until(lambda: shop.ask("status")["redis"]["state"] == "ok")
    wait_until(lambda: shop.ask("status")["consumer"]["state"] == "ok")
    log = (shop.home / "logs" / "supervisor.log").read_text()
    assert "redis (process" in log
    assert "redis is back" in log

    assert shop.ask("down")["stopped"] == ["supervisor", "redis", "consumer", "recorder", "follower", "service"]
    assert shop.processes() == []
    states = states_of(shop.ask("status"))
    assert (states["model"], states["service"], states["consumer"]) == ("ok", "not running", "not running")


def test_the_status_of_an_empty_work_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    empty = Shop(tmp_path / "empty", free_port(), free_port())
    status = empty.ask("status")
    assert {status[name]["state"] for name in ("data", "features", "model")} == {"not built"}
    assert {status[name]["state"] for name in ("redis", "consumer", "recorder", "service")} == {"not running"}
    assert all(area["fix"] for name, area in status.items() if name != "at")


def test_serving_what_was_never_built_says_what_to_build(tmp_path: Path) -> None:
    process = Shop(tmp_path / "empty", free_port(), free_port()).start("up")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(said.splitlines()) == 1
    assert "tillwise" in said


def test_ctrl_c_during_a_build_leaves_nothing_behind(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "home", free_port(), free_port())
    process = shop.start("run")
    wait_until((shop.home / "stages" / "ingest.json").exists)
    time.sleep(1.0)  # somewhere inside the next stage
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.count("\n") == 1
    assert shop.processes() == []
    assert not list(shop.home.glob("**/*.partial"))
    assert not (shop.home / "features").exists()
