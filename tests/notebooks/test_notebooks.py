"""Every notebook runs from top to bottom on a small data set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs import Settings

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_on_the_corner_shop(notebook: Path, built_shop: Settings) -> None:
    environment = os.environ | {"TILLWISE_HOME": str(built_shop.work.root), "MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, notebook], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Corner shop (synthetic)" in done.stdout


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
