"""Flows run the stages of the table as Prefect tasks, and leave a report of each run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from configs import Settings
from configs.errors import AlreadyRunningError, BusyError, ConfigError, DataError, PromotionError, TillwiseError
from configs.home import write_json
from configs.lock import exclusive
from pipelines import stages as table
from pipelines.build import build
from pipelines.stages import Stage
from tests.pipelines.fake_stages import CHAIN, REGISTER, stage
from tests.pipelines.support import RememberingDisplay, settings_in
from tests.support.flows import runs_of
from tests.support.waiting import running

QUICK = {"retry_seconds": 0.1, "wait_seconds": 0.0}
Run = Callable[..., Settings]


@pytest.fixture
def run(prefect_here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a flow on a stage table, in this process; returns its settings, the work folder being the test's own."""
    settings = settings_in(tmp_path, flows=QUICK)
    from pipelines.flows import definitions
    from pipelines.flows.run import run_now

    def go(flow: str, stages: Sequence[Stage] = (), on_demand: Sequence[Stage] = (), **given: Any) -> Settings:
        monkeypatch.setattr(table, "STAGES", tuple(stages))
        monkeypatch.setattr(table, "ON_DEMAND", tuple(on_demand))
        monkeypatch.setattr(definitions, "BUILD", stages[-1].name if stages else "")
        monkeypatch.setattr(definitions, "load_settings", lambda **_: settings)
        run_now(flow, given.get("until"), force=given.get("force", False))
        return settings

    return go


def newest_artifact(url: str, key: str) -> str:
    """Return the text of the newest artifact of that key."""
    return str(httpx.get(f"{url}/artifacts/{key}/latest", timeout=30).json()["data"])


def test_a_retraining_runs_the_table_and_leaves_a_row_for_each_stage(run: Run, prefect_server: str) -> None:
    settings = run("retrain", CHAIN)
    assert sorted((settings.work.root / "trace.txt").read_text().split()) == ["aside", "first", "last", "second"]
    rows = [line.split(" | ") for line in newest_artifact(prefect_server, "retrain").splitlines() if line[:2] == "| "]
    assert sorted(row[0] for row in rows[2:]) == ["| aside", "| first", "| last", "| second"]
    assert {row[1] for row in rows[2:]} == {"ran"}
    assert all(float(row[2]) > 0 and float(row[3].replace(",", "")) > 10 and row[4:6] == ["3", "1"] for row in rows[2:])
    run("retrain", CHAIN)
    assert newest_artifact(prefect_server, "retrain").count("reused from") == 4
    newest = runs_of(prefect_server, "retrain")[0]
    assert newest["state_type"] == "COMPLETED"


def test_what_was_locked_is_tried_again_and_what_is_wrong_is_not(run: Run, tmp_path: Path) -> None:
    run("retrain", (stage("busy"),))
    assert (tmp_path / "tries.txt").read_text() == "xxx"
    with pytest.raises(DataError, match="a price of 'seven'"):
        run("retrain", (stage("wrong_data"),))
    log = (tmp_path / "logs" / "stage-wrong_data.log").read_text()
    assert log.count("stage failed") == 1


def test_a_gates_refusal_is_a_result_not_a_failure(run: Run, prefect_server: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run" / "retrain_wanted.json", {"at": "2026-01-01", "why": "drift", "by": "monitor"})
    with pytest.raises(PromotionError, match="it is no better"):
        run("retrain", (stage("first"), stage("refused", upstream=("first",))))
    newest = runs_of(prefect_server, "retrain")[0]
    assert (newest["state_type"], newest["state_name"]) == ("COMPLETED", "Refused")
    assert newest_artifact(prefect_server, "retrain").startswith("**refused: Version 2")
    assert not (tmp_path / "run" / "retrain_wanted.json").exists()


def test_an_error_in_a_flow_ends_the_stage_beside_it(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Half of the rows"):
        run(
            "retrain",
            (stage("slow"), stage("fails_beside_slow"), stage("last", upstream=("slow", "fails_beside_slow"))),
        )
    assert not any(running(int(pid)) for pid in (tmp_path / "pids.txt").read_text().split())
    assert not list(tmp_path.glob("**/*.partial"))


def test_of_two_retrainings_at_once_the_second_says_that_one_runs(run: Run, tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "run" / "build.lock", what="A build"),
        pytest.raises(AlreadyRunningError, match=r"A build is already under way .* \(process \d+\)"),
    ):
        run("retrain", CHAIN)
    assert not (tmp_path / "trace.txt").exists()


def test_the_monitor_looks_at_everything_and_retrains_if_that_is_wanted(run: Run, tmp_path: Path) -> None:
    looks = (stage("monitor", function=f"{stage('one').function}"), stage("release", function=stage("end").function))
    (tmp_path / "run").mkdir()
    wish = tmp_path / "run" / "retrain_wanted.json"
    write_json(wish, {"at": "2026-01-01", "why": "inputs drift", "by": "monitor"})
    run("monitor", CHAIN, looks)
    assert {"one", "end", "last"} <= set((tmp_path / "trace.txt").read_text().split())
    assert not wish.exists()


def test_a_failed_look_does_not_keep_the_others_from_being_made(run: Run, tmp_path: Path) -> None:
    looks = (stage("monitor", function=stage("wrong_data").function), stage("release", function=stage("end").function))
    with pytest.raises(DataError):
        run("monitor", CHAIN, looks)
    assert (tmp_path / "trace.txt").read_text().split() == ["end"]


def test_a_registry_that_is_locked_or_full_says_what_to_do_and_a_rerun_completes(run: Run, tmp_path: Path) -> None:
    settings, database = settings_in(tmp_path), tmp_path / "registry" / "mlflow.db"

    def register() -> None:
        build(settings, "register", RememberingDisplay(), stages=REGISTER, force=True)

    register()
    with closing(sqlite3.connect(database, isolation_level=None)) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BusyError, match=r"locked by another process .* run the same command again"):
            register()
    (tmp_path / "full").touch()
    with pytest.raises(TillwiseError, match=r"disk .*run the same command again"):
        register()
    (tmp_path / "full").unlink()
    with closing(sqlite3.connect(database)) as registry:
        assert registry.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert registry.execute("SELECT count(*) FROM model_versions").fetchall() == [(1,)]
    run("retrain", REGISTER)
    from training.registry import registry_client, version_of

    client = registry_client(settings)
    tags = client.get_run(version_of(client, settings, "1").run_id).data.tags
    assert tags["flow.retrain"].endswith(": done")
    (left,) = (tmp_path / "registry" / "artifacts").glob("*/artifacts/flows/retrain.md")
    assert "| register | ran |" in left.read_text()


def test_an_unknown_flow_is_refused_with_the_known_ones(run: Run) -> None:
    with pytest.raises(ConfigError, match=r"no flow 'retain'.*ingest, materialize, retrain, monitor, compact"):
        run("retain")
