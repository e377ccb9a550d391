"""What is made once a test run, whichever of its processes needs it first."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.home import replace_directory
from configs.lock import exclusive

PATIENCE_SECONDS = 900.0


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` has filled; not to be changed, since all processes of a test run share it.

    As pytest-xdist recommends: the processes have one parent folder in common, and a lock in it.

    Args:
        factory: pytest's. name: of the folder. make: fills an empty folder; what it leaves may be moved elsewhere.
    """
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    root = (factory.mktemp("shared") if alone else factory.getbasetemp().parent) / "made-once"
    with exclusive(root / f"{name}.lock", what=f"Making {name}", patience=PATIENCE_SECONDS):
        if not (root / name).exists():
            with replace_directory(root / name) as folder:
                make(folder)
    return root / name
