"""The commands of the workflows, run as GitHub's runner runs them, on a corner shop that is built already."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from configs import Settings, StageReport
from configs.errors import NotBuiltError
from configs.home import read_json
from pipelines.fingerprint import fingerprints
from pipelines.lineage_table import UNKNOWN, lineage_table
from pipelines.records import StageRecord, write_record
from pipelines.stages import stages_up_to
from tests.support.shop import SMALL, as_variables
from tests.support.workflows import script
from training.lineage import lineage
from training.package import ModelPackage
from training.registry import registry_client

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Runner:
    """A folder as a workflow's job finds it after `make install`, with a work folder."""

    folder: Path
    settings: Settings

    def run(self, command: str, *, code: int = 0, **variables: str) -> str:
        """Return what a step's command printed: bash ends it with its first failure."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TILLWISE_")}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
            cwd=self.folder,
            env=clean | as_variables(SMALL) | {"PYTHONPATH": str(ROOT)} | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runner(built_shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A job's folder in which everything up to the evaluation is up to date."""
    folder = tmp_path_factory.mktemp("job")
    program = folder / ".venv" / "bin" / "tillwise"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipelines.cli "$@"\n')
    program.chmod(0o755)
    shutil.copytree(built_shop.work.root, folder / "var")
    settings = built_shop.model_copy(update={"home": folder / "var"})
    stages = stages_up_to("evaluate")
    now = datetime.now(UTC).isoformat()
    for name, fingerprint in fingerprints(stages, settings).items():
        write_record(settings.work, StageRecord(fingerprint, StageReport(name), 1.0, 100.0, now))
    return Runner(folder, settings)


@pytest.fixture(scope="module")
def retrained(runner: Runner) -> Runner:
    """The folder after the commands of `retrain.yml`."""
    said = runner.run(script("retrain", "Build, judge and register"))
    assert "evaluate: unchanged since" in said
    assert "corner_shop" in runner.run(script("retrain", "Say where it came from"))
    runner.run(script("retrain", "Put it to the gate"), ALIAS="challenger")
    return runner


def test_retraining_registers_what_was_built_and_puts_it_to_the_gate(retrained: Runner, package: ModelPackage) -> None:
    found = lineage(retrained.settings, "challenger")
    assert (found.version, found.package) == ("1", package.version)


def test_promoting_moves_the_alias_and_a_version_that_does_not_exist_fails_the_job(retrained: Runner) -> None:
    promote = script("promote", "Promote")
    asked = {"ALIAS": "champion", "FORCE": "false", "WHY": ""}
    assert "version 7" in retrained.run(promote, code=1, VERSION="7", **asked)
    retrained.run(promote, VERSION="1", **asked)
    assert {one.alias for one in lineage(retrained.settings, "1").decisions} >= {"challenger", "champion"}


def test_the_lineage_tells_data_code_features_settings_and_stages(retrained: Runner, package: ModelPackage) -> None:
    found = lineage(retrained.settings, "newest")
    ingested = read_json(retrained.settings.work.data / "ingest.json")
    assert found.data["fingerprint"] == ingested["fingerprint"] == package.data
    assert found.data["sources"]["orders"] == "corner_shop/tickets.csv"
    assert found.data["first_order_at"] == ingested["first_order_at"]
    assert found.features is not None
    assert set(found.features["views"]) == {"shopper_profile", "shopper_purchases", "product_stats"}
    assert found.config is not None
    assert found.config["training.trees"] == str(SMALL["training"]["trees"])
    assert found.parent == ""
    assert found.stages is not None
    assert set(found.stages) == {stage.name for stage in stages_up_to("evaluate")}


def test_a_version_that_is_not_there_is_told_with_those_that_are(retrained: Runner) -> None:
    with pytest.raises(NotBuiltError, match=r"no version '9'.*its versions: 1\. "):
        lineage(retrained.settings, "9")


def test_an_empty_registry_has_no_lineage_and_none_is_made(built_shop: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="Nothing is registered yet"):
        lineage(built_shop.model_copy(update={"home": tmp_path}), "newest")
    assert list(tmp_path.iterdir()) == []


def test_what_an_older_run_did_not_log_is_unknown(retrained: Runner) -> None:
    client, name = registry_client(retrained.settings), retrained.settings.registry.model_name
    run = client.create_run(client.get_experiment_by_name(retrained.settings.registry.experiment).experiment_id)
    version = client.create_model_version(name, "file:///nowhere", run.info.run_id)
    found = lineage(retrained.settings, str(version.version))
    assert (found.code, found.features, found.parent, found.stages, found.feedback) == (None,) * 5
    shown = Console(width=100, record=True, file=io.StringIO())
    shown.print(lineage_table(found, {}))
    assert shown.export_text().count(UNKNOWN) >= 8
