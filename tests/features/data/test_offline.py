"""Ingestion asks nobody: Great Expectations stays silent, is loaded only when used, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.features.data.shop import Shop

WITHOUT_NETWORK = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit(f"tried to reach {args[1:]}")
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = lambda *args, **kwargs: refuse(None, *args)
from configs import SilentProgress, load_settings
from features.data.ingest import ingest
assert "great_expectations" not in sys.modules, "loaded before it is used"
ingest(load_settings(), SilentProgress())
"""


def test_a_process_that_ingests_opens_no_connection_and_leaves_no_file_outside_its_work_folder(shop: Shop) -> None:
    shop.write()
    scratch = shop.folder / "scratch"
    scratch.mkdir()
    environment = os.environ | {
        "TILLWISE_DATASET": str(shop.folder / "tiny.yaml"),
        "TILLWISE_HOME": str(shop.folder / "var"),
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK],
        env=environment,
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert list(scratch.iterdir()) == []
    assert (shop.folder / "var" / "data" / "ingest.json").is_file()
