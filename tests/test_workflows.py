"""The workflows of GitHub Actions: they parse, ask for little, are pinned, and run nothing that is typed in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.app import COMMANDS
from tests.support.workflows import FOLDER, script, workflow

NAMES = sorted(path.stem for path in FOLDER.glob("*.yml"))
TILLWISE = {command.__name__ for commands in COMMANDS.values() for command in commands}
ANYTHING = re.compile(
    r"^\s*(\.venv/bin/tillwise|make|sudo --preserve-env=CI \.ci/parts|options=|if \[ [^;]*\]; then options\+=)"
)


def test_there_are_three_of_them() -> None:
    assert NAMES == ["ci", "promote", "retrain"]
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.yml" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_form_of_a_workflow_and_may_only_read(name: str) -> None:
    found = workflow(name)  # refuses actions that are not pinned, unknown keys, permissions to write
    assert found.name == name
    assert found.permissions == {"contents": "read"}


@pytest.mark.parametrize("name", NAMES)
def test_a_pinned_action_tells_its_version_beside_it_and_checks_out_without_leaving_a_token(name: str) -> None:
    lines = [line for line in (FOLDER / f"{name}.yml").read_text().splitlines() if "uses:" in line]
    assert [line for line in lines if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []
    for job in workflow(name).jobs.values():
        (checkout,) = (step for step in job.steps if (step.uses or "").startswith("actions/checkout@"))
        assert checkout.with_ == {"persist-credentials": False}


@pytest.mark.parametrize("name", NAMES)
def test_it_names_no_host_and_runs_nothing_but_commands_of_this_repository(name: str) -> None:
    text = (FOLDER / f"{name}.yml").read_text()
    assert "://" not in text
    assert "pip install" not in text
    for _, step in workflow(name).commands:
        assert step.run is not None
        assert [line for line in step.run.splitlines() if not ANYTHING.match(line)] == []
        assert set(re.findall(r"bin/tillwise (\w+)", step.run)) <= TILLWISE
        assert set(re.findall(r"^make (\w+)", step.run)) <= {"test", "install"}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_typed_in_reaches_commands_through_the_environment_only(name: str) -> None:
    for job, step in workflow(name).commands:
        assert step.run is not None
        assert "${{" not in step.run
        assert set(re.findall(r"\$\{?([A-Z_]+)", step.run)) <= set(job.env) | set(step.env)
        subprocess.run(["bash", "-n"], input=step.run, text=True, check=True)


def test_ci_runs_what_a_person_runs_on_every_push_and_pull_request() -> None:
    found = workflow("ci")
    assert found.on.push is not None
    assert "pull_request" in found.on.model_fields_set
    assert (FOLDER.parents[1] / ".ci" / "run").read_text().splitlines()[-1] == f"exec {script('ci', 'Test')}"
    assert found.concurrency.cancel_in_progress


def test_one_job_at_a_time_decides_about_models() -> None:
    retrain, promote = workflow("retrain").concurrency, workflow("promote").concurrency
    assert retrain == promote
    assert not promote.cancel_in_progress


def test_models_are_retrained_each_week_and_promoted_by_hand() -> None:
    (weekly,) = workflow("retrain").on.schedule
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", weekly.cron)
    dispatch = workflow("promote").on.workflow_dispatch
    assert dispatch is not None
    assert set(dispatch.inputs) == {"version", "alias", "force", "why"}
    assert dispatch.inputs["version"].required


@pytest.mark.parametrize("name", ["promote", "retrain"])
def test_reports_are_kept_however_it_ends(name: str) -> None:
    (job,) = workflow(name).jobs.values()
    (kept,) = (step for step in job.steps if (step.uses or "").startswith("actions/upload-artifact@"))
    assert (kept.when, kept.with_["path"]) == ("always()", "var/reports")


def arguments(folder: Path, command: str, **variables: str) -> list[str]:
    """Return what `tillwise` was called with, by a script that runs where it only writes down its arguments."""
    program = folder / ".venv" / "bin" / "tillwise"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\nimport sys\nopen('called', 'w').write('\\0'.join(sys.argv[1:]))\n")
    program.chmod(0o755)
    subprocess.run(["bash", "-e", "-c", command], cwd=folder, env={"PATH": os.environ["PATH"]} | variables, check=True)
    return (folder / "called").read_text().split("\0")


@pytest.mark.parametrize(
    "typed", ["$(touch pwned)", '"; touch pwned; "', "`touch pwned`", "' || touch pwned #", "a\nb"]
)
def test_no_reason_that_somebody_types_becomes_a_command(tmp_path: Path, typed: str) -> None:
    variables = {"VERSION": typed, "ALIAS": "champion", "FORCE": "true", "WHY": typed}
    called = arguments(tmp_path, script("promote", "Promote"), **variables)
    assert called == ["promote", "--version", typed, "--alias", "champion", "--why", typed, "--force"]
    assert not (tmp_path / "pwned").exists()


def test_nothing_is_forced_unless_it_is_asked_for(tmp_path: Path) -> None:
    variables = {"VERSION": "7", "ALIAS": "challenger", "FORCE": "false", "WHY": ""}
    called = arguments(tmp_path, script("promote", "Promote"), **variables)
    assert called == ["promote", "--version", "7", "--alias", "challenger"]
