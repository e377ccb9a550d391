"""`tillwise cases`, `tillwise recommend` and `--until` as a person and a machine meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from configs import Settings
from tests.pipelines.test_cli import only_sentence, tillwise
from training.package import ModelPackage

SMALL = {"TILLWISE_WINDOWS__TEST_DAYS": "14", "TILLWISE_WINDOWS__TARGET_DAYS": "21"}


@pytest.fixture
def home(built_shop: Settings, tmp_path: Path) -> Path:
    """A work folder with the built shop in it."""
    for part in ("data", "features", "model"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    return tmp_path


def test_held_out_cases_are_written_and_answered(home: Path, package: ModelPackage) -> None:
    files = {name: str(home / f"{name}.parquet") for name in ("cases", "hidden", "out")}
    arguments = ("cases", "--variant", "hide30", "--out", files["cases"], "--hidden", files["hidden"], "--json")
    written = json.loads(tillwise(*arguments, home=home, **SMALL).stdout)
    assert written["cases"] == pq.read_metadata(files["cases"]).num_rows
    assert written["hidden products"] == pq.read_metadata(files["hidden"]).num_rows >= written["cases"]

    arguments = ("recommend", "--cases", files["cases"], "--k", "3", "--out", files["out"])
    told = json.loads(tillwise(*arguments, "--json", home=home, **SMALL).stdout)
    assert told["model_version"] == package.version
    assert told["cases"] == written["cases"]
    assert told["recommendations"] == pq.read_metadata(files["out"]).num_rows == 3 * told["cases"]
    assert told["seconds"] > 0
    assert "Written to" in tillwise(*arguments, home=home, **SMALL).stdout


def test_what_cannot_be_answered_is_told_in_one_sentence(home: Path, tmp_path: Path) -> None:
    arguments = ("recommend", "--cases", str(home / "absent.parquet"), "--out", str(home / "out.parquet"))
    assert "There is no file" in tillwise(*arguments, home=home).stderr
    assert not (home / "out.parquet").exists()
    wrong = tillwise("train", "--until", "31.12.2017", home=home)
    assert wrong.returncode == 2
    assert "2024-05-31" in wrong.stderr
    outside = tillwise("ingest", "--until", "1999-01-01", home=tmp_path / "fresh")
    assert "lies outside the data" in only_sentence(outside)


def test_as_of_after_until_is_refused_at_once(home: Path) -> None:
    done = tillwise("train", "--until", "2024-03-01", "--as-of", "2024-03-02", home=home)
    assert "lies after until" in only_sentence(done)
