"""A clone that is built by DVC, elsewhere, with other people's demographics: the same package, byte by byte."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from configs import Settings
from configs.home import read_json
from tests.support.shop import CORNER_SHOP, SMALL, as_variables

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.environ.get("DRILLS") != "full", reason="builds a model a second time: `make drills` does"),
]
ROOT = Path(__file__).resolve().parents[2]
CODE = ("configs", "events", "features", "monitoring", "pipelines", "serving", "storefront", "training")


@dataclass
class Clone:
    """A copy of the repository with a work folder of its own."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TILLWISE_")}
        shop = {"TILLWISE_DATASET": str(self.folder / "shop" / CORNER_SHOP.name), "PYTHONPATH": str(self.folder)}
        return clean | as_variables(SMALL) | shop

    def run(self, command: str, *, code: int = 0, **variables: str) -> str:
        """Return what a command line printed, run as GitHub's runner would: by bash, ended by its first failure."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def shuffle_demographics(shop: Path) -> None:
    """Give every member the age and household of another."""
    head, *rows = (shop / "members.csv").read_text().splitlines()
    members = [row.partition(",") for row in rows]
    told = [known for _, _, known in members]
    changed = [f"{member},{known}" for (member, _, _), known in zip(members, told[1:] + told[:1], strict=True)]
    (shop / "members.csv").write_text("\n".join([head, *changed]) + "\n")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone in which `dvc repro` has built and judged a model."""
    folder = tmp_path_factory.mktemp("clone")
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text((ROOT / ".dvc" / "config").read_text() + "    no_scm = true\n")
    shutil.copytree(CORNER_SHOP.parent / "corner_shop", folder / "shop" / "corner_shop")
    shutil.copy(CORNER_SHOP, folder / "shop")
    shuffle_demographics(folder / "shop" / "corner_shop")
    program = folder / ".venv" / "bin" / "tillwise"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipelines.cli "$@"\n')
    program.chmod(0o755)
    made = Clone(folder)
    made.run(f"{sys.executable} -m dvc repro evaluate")
    yield made
    shutil.rmtree(folder)


def manifest(model: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(model / "manifest.json")
    return content


def test_dvc_makes_the_same_package_as_the_stages_do_whatever_is_known_of_the_shoppers(
    clone: Clone, built_shop: Settings
) -> None:
    ours, theirs = (
        pq.read_table(data / "shoppers.parquet") for data in (built_shop.work.data, clone.folder / "var/data")
    )
    assert ours.column_names == theirs.column_names
    assert not ours.equals(theirs)
    made = manifest(clone.folder / "var" / "model")
    expected = manifest(built_shop.work.model)
    assert made["files"] == expected["files"]
    assert made["version"] == expected["version"]


def test_what_dvc_has_made_is_not_made_again(clone: Clone) -> None:
    said = clone.run(f"{sys.executable} -m dvc repro evaluate")
    assert len(re.findall(r"didn't change, skipping", said)) >= 4
    assert "Running stage" not in said
