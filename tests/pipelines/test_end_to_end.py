"""The whole chain on the corner shop, with every real part: build, Redis, consumer, service, replay, status, down."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.stages import STAGES as TABLE
from tests.pipelines.test_cli import DATASET
from tests.support.ports import free_port
from tests.support.tillwise import Tillwise
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e
STAGES = [stage.name for stage in TABLE]
AREAS = ["data", "features", "model", "redis", "consumer", "recorder", "service"]
SESSIONS, TRIED = 60, 20


VARIABLES = {
    "TILLWISE_DATASET": str(DATASET),
    "TILLWISE_REPLAY__SESSIONS": str(SESSIONS),
    "TILLWISE_REGISTRY__GATE__TRIAL_SESSIONS": str(TRIED),
    "TILLWISE_REGISTRY__GATE__TRIAL_P99_MS": "2000",  # no refusal, however busy the machine
    "TILLWISE_TRAINING__MAX_BASKETS": "800",
    "TILLWISE_TRAINING__TREES": "30",
    "TILLWISE_EVALUATION__BOOTSTRAP_SAMPLES": "200",
}


def shop_in(home: Path, service_port: int, redis_port: int) -> Tillwise:
    """A work folder of the corner shop, with ports of its own."""
    return Tillwise(home, service_port, redis_port, VARIABLES)


def states_of(status: dict[str, Any]) -> dict[str, str]:
    return {name: area["state"] for name, area in status.items() if name != "at"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tillwise]:
    shop = shop_in(tmp_path_factory.mktemp("end_to_end"), free_port(), free_port())
    yield shop
    shop.run("down")


@pytest.fixture(scope="module")
def first_run(shop: Tillwise) -> str:
    """What the first `run --once` printed."""
    return shop.run("run", "--once")


@pytest.fixture(scope="module")
def first_report(shop: Tillwise, first_run: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((shop.home / "reports" / "replay.json").read_text())
    return report


def test_one_command_builds_serves_and_replays(shop: Tillwise, first_run: str, first_report: dict[str, Any]) -> None:
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
def test_the_version_was_tried_in_a_service_of_its_own_before_it_passed_the_gate(shop: Tillwise) -> None:
    tried = json.loads((shop.home / "reports" / "trial.json").read_text())
    assert (tried["trouble"], tried["errors"], tried["answered_by"]) == (None, 0, [tried["package"]])
    assert tried["sessions_with_complete_cart"] == tried["sessions"] == TRIED
    verdict = json.loads((shop.home / "reports" / "gate.json").read_text())
    assert verdict["package"] == tried["package"]
    assert [check["name"] for check in verdict["checks"] if not check["passed"]] == []


def test_nothing_runs_once_it_is_over(shop: Tillwise, first_run: str) -> None:
    assert shop.processes() == []
    assert not list(shop.home.glob("**/*.partial"))


@pytest.mark.usefixtures("first_run")
def test_a_second_run_reuses_everything_and_hits_just_as_often(shop: Tillwise, first_report: dict[str, Any]) -> None:
    printed = shop.run("run", "--once")
    for stage in STAGES:
        assert f"{stage}: unchanged since" in printed
    again = json.loads((shop.home / "reports" / "replay.json").read_text())
    assert again["fallbacks"] == first_report["fallbacks"] == 0
    assert again["arms"] == first_report["arms"]


@pytest.mark.usefixtures("first_run")
def test_what_is_up_in_the_background_can_be_looked_at_and_taken_down(shop: Tillwise) -> None:
    up = shop.ask("up", "--detach")
    assert set(up["parts"]) == {"redis", "consumer", "recorder", "follower", "service"}
    status = shop.ask("status")
    assert states_of(status) == dict.fromkeys(AREAS, "ok") | {"monitor": "not running"}  # nobody has looked yet
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
    empty = shop_in(tmp_path / "empty", free_port(), free_port())
    status = empty.ask("status")
    assert {status[name]["state"] for name in ("data", "features", "model")} == {"not built"}
    assert {status[name]["state"] for name in ("redis", "consumer", "recorder", "service")} == {"not running"}
    assert all(area["fix"] for name, area in status.items() if name != "at")


def test_serving_what_was_never_built_says_what_to_build(tmp_path: Path) -> None:
    process = shop_in(tmp_path / "empty", free_port(), free_port()).start("up")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(said.splitlines()) == 1
    assert "tillwise" in said


def test_ctrl_c_during_a_build_leaves_nothing_behind(tmp_path: Path) -> None:
    shop = shop_in(tmp_path / "home", free_port(), free_port())
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
