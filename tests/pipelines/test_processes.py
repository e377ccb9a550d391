"""A child process gets exactly the settings of its parent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from configs import load_settings
from pipelines.processes import environment, last_lines


def test_a_child_reads_the_settings_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLWISE_SERVING__WORKERS", "3")
    settings = load_settings(home=tmp_path, redis={"port": 7001}, registry={"uri": "http://registry:5000"})
    code = "from configs import load_settings; print(load_settings().model_dump_json())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(settings), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == settings.model_dump_json()
    assert settings.serving.workers == 3


def test_the_last_lines_of_a_log_are_quoted_in_one(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("one\ntwo\n\nthree  \n")
    assert last_lines(log, 3) == "two | three"
    assert last_lines(tmp_path / "absent.log") == "nothing"
