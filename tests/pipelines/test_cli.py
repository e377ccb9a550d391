"""The command as a person and a machine meet it: help, JSON, one sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cli.app import COMMANDS
from pipelines.cli.failure import sentence

ROOT = Path(__file__).resolve().parents[2]
DATASET = ROOT / "tests" / "datasets" / "corner_shop.yaml"
NAMES = [command.__name__.replace("_", "-") for commands in COMMANDS.values() for command in commands]


def tillwise(*arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, its work folder `home`."""
    ours = {"TILLWISE_HOME": str(home), "TILLWISE_MIN_FREE_GB": "0", "TILLWISE_DATASET": str(DATASET)}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TILLWISE_")}
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        cwd=ROOT,
        env=clean | ours | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def only_sentence(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """Return the one line that a failed command said."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that listens on a port of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = tillwise("--help", home=tmp_path).stdout
    assert [name for name in NAMES if f"│ {name} " not in shown] == []
    assert {"run", "ingest", "features", "train", "evaluate", "register", "promote"} <= set(NAMES)
    assert {"materialize", "serve", "consume", "replay", "status", "up", "down"} <= set(NAMES)


def test_every_command_explains_itself() -> None:
    for commands in COMMANDS.values():
        for command in commands:
            summary, *_ = (command.__doc__ or "").strip().splitlines()
            assert len(summary) > 30, command.__name__
            assert summary.endswith("."), command.__name__


def test_wrong_usage_ends_with_code_2(tmp_path: Path) -> None:
    assert tillwise("no-such-command", home=tmp_path).returncode == 2
    forced = tillwise("promote", "--force", home=tmp_path)
    assert forced.returncode == 2
    assert "needs --why" in forced.stderr
    assert tillwise("promote", "3", "--version", "4", home=tmp_path).returncode == 2


def test_a_version_that_there_is_not_is_told_and_ends_with_code_1(tmp_path: Path) -> None:
    said = tillwise("promote", "--to", "champion", "7", home=tmp_path)
    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].startswith("The registry does not hold version 7")


def test_a_misspelt_variable_is_told_in_one_sentence(tmp_path: Path) -> None:
    said = only_sentence(tillwise("status", home=tmp_path, TILLWISE_SERVING_PORT="3001"))
    assert "TILLWISE_SERVING_PORT sets nothing" in said


def test_too_little_disk_is_told_in_one_sentence(tmp_path: Path) -> None:
    said = only_sentence(tillwise("ingest", home=tmp_path, TILLWISE_MIN_FREE_GB="1000000"))
    assert "GiB are free for the work folder" in said
    assert "TILLWISE_HOME" in said


@pytest.mark.parametrize("command", ["run", "up"])
def test_a_busy_port_is_told_before_anything_is_started(tmp_path: Path, listening: socket.socket, command: str) -> None:
    port = str(listening.getsockname()[1])
    done = tillwise(command, home=tmp_path, TILLWISE_SERVING__PORT=port)
    said = only_sentence(done)
    assert f"127.0.0.1:{port}" in said
    assert "TILLWISE_SERVING__PORT" in said
    assert done.stdout == ""


def test_a_busy_redis_port_names_its_own_setting(tmp_path: Path, listening: socket.socket) -> None:
    port = str(listening.getsockname()[1])
    said = only_sentence(tillwise("up", home=tmp_path, TILLWISE_REDIS__PORT=port, TILLWISE_SERVING__PORT="39391"))
    assert "TILLWISE_REDIS__PORT" in said


def test_a_malformed_data_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(DATASET.parent / "corner_shop", shop / "corner_shop")
    mapping = shutil.copy(DATASET, shop)
    (shop / "corner_shop" / "tickets.csv").write_text("not,what\nwas,promised\n")
    said = only_sentence(tillwise("ingest", home=tmp_path / "home", TILLWISE_DATASET=str(mapping)))
    assert "tickets.csv" in said
    assert "Traceback" not in said


def test_a_mapping_that_does_not_exist_is_told_in_one_sentence(tmp_path: Path) -> None:
    said = only_sentence(tillwise("ingest", home=tmp_path, TILLWISE_DATASET="no_such_shop"))
    assert "no_such_shop" in said


def test_a_work_folder_that_may_not_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = only_sentence(tillwise("ingest", home=tmp_path / "file" / "home"))
    assert str(tmp_path / "file") in said


def test_a_stage_tells_a_machine_what_it_did(tmp_path: Path) -> None:
    done = tillwise("ingest", "--json", home=tmp_path)
    (outcome,) = json.loads(done.stdout)
    assert outcome["stage"] == "ingest"
    assert outcome["ran"]
    assert outcome["report"]["wrote"]["orders"] > 0
    (again,) = json.loads(tillwise("ingest", "--json", home=tmp_path).stdout)
    assert not again["ran"]
    (forced,) = json.loads(tillwise("ingest", "--json", "--force", home=tmp_path).stdout)
    assert forced["ran"]


def test_down_with_nothing_up_says_so(tmp_path: Path) -> None:
    assert "Nothing is up" in tillwise("down", home=tmp_path).stdout
    assert json.loads(tillwise("down", "--json", home=tmp_path).stdout) == {"stopped": []}


def test_a_reader_that_leaves_early_causes_no_trace(tmp_path: Path) -> None:
    command = f"{sys.executable} -m pipelines.cli --help | head -c 1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_a_defect_is_one_sentence_that_says_how_to_see_more() -> None:
    said = sentence(ZeroDivisionError("division\nby zero"))
    assert said == (
        "Unexpected ZeroDivisionError: division by zero. This is a defect of Tillwise; "
        "TILLWISE_LOG__LEVEL=debug shows the stack trace."
    )
