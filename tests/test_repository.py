"""What the repository promises a person who has just cloned it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tomllib
from operator import attrgetter
from pathlib import Path

import pytest
import yaml

from configs.settings import DEFAULTS, Settings, load_settings
from pipelines.stages import STAGES
from tests.support.order import LONGEST, TESTS
from tests.support.parts import missing

ROOT = Path(__file__).resolve().parents[1]
PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^ ;+]+$")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {normal(line.partition("==")[0]): line for line in lines if line and not line.startswith("#")}


def make(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment | variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with the Makefile and what it reads, but nothing installed."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def fake_python(folder: Path, version: str) -> Path:
    """Return a program that says it is Python `version` and does nothing else."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return program


def test_every_line_of_the_lock_pins_one_version_and_names_no_host() -> None:
    assert [line for line in locked().values() if not PINNED.match(line)] == []


def test_the_lock_holds_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    direct = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"]
    direct += project["build-system"]["requires"]
    names = {normal(re.split(r"[<>=!~\[; ]", line)[0]) for line in direct}
    assert names - set(locked()) == set()


@pytest.mark.parametrize("target", ["run", "test"])
def test_another_python_is_refused_in_one_sentence(bare: Path, tmp_path: Path, target: str) -> None:
    python = fake_python(tmp_path, "3.12.4")
    done = make(target, f"PYTHON={python}", folder=bare)
    assert done.returncode != 0
    first, *rest = done.stderr.splitlines()
    assert (
        first == f"Tillwise needs Python 3.11, and '{python}' is 3.12.4: name another with PYTHON=/path/to/python3.11."
    )
    assert all(line.startswith("make") for line in rest)
    assert not (bare / ".venv").exists()


def test_a_missing_python_is_told_in_one_sentence(bare: Path) -> None:
    done = make("run", "PYTHON=no-such-python", folder=bare)
    assert "needs Python 3.11, and there is no working 'no-such-python' here" in done.stderr.splitlines()[0]


def test_another_python_is_refused_even_when_everything_is_installed(bare: Path, tmp_path: Path) -> None:
    (bare / ".venv").mkdir()
    (bare / ".venv" / ".installed").touch()
    done = make("run", f"PYTHON={fake_python(tmp_path, '3.13.0')}", folder=bare)
    assert "is 3.13.0" in done.stderr


def test_continuous_integration_runs_what_a_person_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands[-1] == "exec make test"


def test_a_missing_part_skips_a_test_with_what_to_install_and_fails_it_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no RabbitMQ .* apt-get install rabbitmq-server"):
        missing("RabbitMQ", "rabbitmq-server")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no RabbitMQ"):
        missing("RabbitMQ", "rabbitmq-server")


def test_ci_installs_every_part_whose_absence_would_skip_a_test() -> None:
    script = (ROOT / ".ci" / "parts").read_text()
    support = "".join(path.read_text() for path in (ROOT / "tests" / "support").glob("*.py"))
    named = re.findall(r'missing\("([^"]+)", "([^"]+)"\)', support)
    assert len(named) >= 2
    for part, package in named:
        assert re.search(rf"^part {part} {package} ", script, re.MULTILINE)


def test_elsewhere_than_in_ci_nothing_is_installed(tmp_path: Path) -> None:
    (tmp_path / "apt-get").write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    (tmp_path / "apt-get").chmod(0o755)
    variables = {"PATH": str(tmp_path)}
    done = subprocess.run(
        ["/bin/bash", ROOT / ".ci" / "parts"], env=variables, capture_output=True, text=True, check=True
    )
    assert "No Chromium here: the browser tests will be skipped (Debian: apt-get install chromium)" in done.stdout
    assert not (tmp_path / "asked").exists()


def test_each_dvc_stage_is_the_command_of_the_same_name() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    commands = {stage.name: stage.command or stage.name for stage in STAGES}
    assert set(stages) <= set(commands)
    for name, stage in stages.items():
        assert stage["cmd"].endswith(f"tillwise {commands[name]}")


def test_dvc_watches_the_settings_that_the_stage_table_names() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for stage in STAGES:
        if stage.name in stages:
            (params,) = stages[stage.name]["params"]
            assert set(params["configs/default.yaml"]) == set(stage.settings)


def test_dvc_outputs_are_those_of_the_stage_table() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for stage in STAGES:
        if stage.name in stages:
            declared = [*stages[stage.name].get("outs", []), *stages[stage.name].get("metrics", [])]
            paths = {path.removeprefix("var/") for out in declared for path in out}
            assert paths == set(stage.outputs)


def test_dvc_and_the_stage_table_tell_the_same_order() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    made_by = {f"var/{output}": stage.name for stage in STAGES for output in stage.outputs}
    for stage in STAGES:
        if stage.name in stages:
            assert {made_by[path] for path in stages[stage.name]["deps"] if path in made_by} == set(stage.upstream)


@pytest.mark.parametrize("section", ["training", "encoder", "neural", "student"])
def test_every_setting_of_training_that_changes_a_result_makes_its_stage_stale(section: str) -> None:
    named = {name for stage in STAGES for name in stage.settings}
    keys = {f"{section}.{key}" for key in getattr(load_settings(), section).model_dump()}
    assert section in named or keys - named == {"training.workers"}  # examples are the same however many make them


def test_the_stage_table_names_settings_that_exist() -> None:
    settings = load_settings()
    for stage in STAGES:
        for name in stage.settings:
            attrgetter(name)(settings)  # raises AttributeError where there is none


def test_no_setting_is_without_its_default() -> None:
    assert set(yaml.safe_load(DEFAULTS.read_text())) == set(Settings.model_fields)


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = (ROOT / "README.md").read_text().split("##")[0]
    assert opening.index("make run") < opening.index("make test")


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []
