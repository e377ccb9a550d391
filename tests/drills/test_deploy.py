"""`prefect deploy` for real: what `prefect.yaml` says comes to a server, and a worker of its pool runs it.

`make drills` only: the commands take half a minute. `tests/pipelines/flows/test_deployments.py` reads the file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from configs import load_settings
from configs.processes import start_child
from pipelines.processes import end_group, environment
from tests.support.flows import runs_of
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
POOL = "tillwise"
PATIENCE_SECONDS = 180.0

pytestmark = pytest.mark.skipif(
    os.environ.get("DRILLS") != "full", reason="takes a minute: `make drills` deploys, `make test` reads the file"
)


def prefect(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", "--no-prompt", *arguments]


def done(url: str, *arguments: str) -> str:
    """Run a command of Prefect's in the repository; return what it said."""
    finished = subprocess.run(
        prefect(*arguments),
        cwd=ROOT,
        env=os.environ | {"PREFECT_API_URL": url},
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def deployed(prefect_server: str) -> dict[str, dict[str, Any]]:
    """What the server knows after the commands of the README: flow → deployment."""
    done(prefect_server, "work-pool", "create", POOL, "--type", "process", "--overwrite")
    done(prefect_server, "deploy", "--all")
    answer = httpx.post(f"{prefect_server}/deployments/filter", json={}, timeout=30)
    flows = {flow["id"]: flow["name"] for flow in httpx.post(f"{prefect_server}/flows/filter", json={}).json()}
    return {flows[one["flow_id"]]: one for one in answer.json() if one["work_pool_name"] == POOL}


def test_each_flow_is_there_with_its_schedule_its_parameters_and_its_limit(deployed: dict[str, dict[str, Any]]) -> None:
    cadence = load_settings().flows.cadence.model_dump()
    told = {name: [part["schedule"] for part in one["schedules"]] for name, one in deployed.items()}
    assert {name: [(when["cron"], when["timezone"]) for when in whens] for name, whens in told.items()} == {
        name: [(cron, "UTC")] for name, cron in cadence.items()
    }
    assert {name: one["concurrency_options"]["collision_strategy"] for name, one in deployed.items()} == {
        name: "ENQUEUE" if name == "retrain" else "CANCEL_NEW" for name in cadence
    }
    assert {one["global_concurrency_limit"]["limit"] for one in deployed.values()} == {1}
    assert not any(one["paused"] for one in deployed.values())
    parameters = {name: set(one["parameter_openapi_schema"]["properties"]) for name, one in deployed.items()}
    given = {"until", "force"}
    assert parameters == {
        "ingest": given,
        "materialize": given,
        "retrain": given,
        "monitor": set(),
        "compact": set(),
    }
    assert {tuple(one["tags"]) for one in deployed.values()} == {("tillwise",)}


def test_a_worker_runs_what_was_deployed(
    deployed: dict[str, dict[str, Any]], prefect_server: str, tmp_path: Path
) -> None:
    variables = environment(load_settings(home=tmp_path / "work")) | {"PREFECT_API_URL": prefect_server}
    with (tmp_path / "worker.log").open("wb") as log:
        command = prefect("worker", "start", "--pool", POOL)
        worker = start_child(command, log, env=variables, cwd=ROOT, leads_group=True)
    try:
        run = httpx.post(f"{prefect_server}/deployments/{deployed['compact']['id']}/create_flow_run", json={}).json()

        def ended() -> bool:
            found = {one["id"]: one["state_type"] for one in runs_of(prefect_server, "compact")}
            return found.get(run["id"]) in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

        wait_until(ended, PATIENCE_SECONDS)
    finally:
        end_group(worker)
    states = {one["id"]: one["state_type"] for one in runs_of(prefect_server, "compact")}
    assert states[run["id"]] == "COMPLETED", (tmp_path / "worker.log").read_text()[-3000:]
    report = httpx.get(f"{prefect_server}/artifacts/compact/latest", timeout=30).json()
    assert report["flow_run_id"] == run["id"]
    assert "| compact | ran |" in report["data"]
