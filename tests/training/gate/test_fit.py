"""The gate's checks that a package can serve."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs import Settings
from configs.home import read_json, write_json
from tests.support.packages import damaged
from training.gate.fit import loads, schema, self_test
from training.manifest import MANIFEST
from training.package import FORMAT, ModelPackage


def with_manifest(settings: Settings, folder: Path, **changed: Any) -> Path:
    """Copy the shop's package, its manifest saying something else."""
    shutil.copytree(settings.work.model, folder)
    write_json(folder / MANIFEST, read_json(folder / MANIFEST) | changed)
    return folder


def test_a_package_of_this_code_fits(built_shop: Settings) -> None:
    check = schema(built_shop.work.model)
    assert check.passed
    assert check.figures["found"] == check.figures["serving"]


@pytest.mark.parametrize("other", [FORMAT - 1, FORMAT + 1])
def test_another_format_is_told_with_both(built_shop: Settings, tmp_path: Path, other: int) -> None:
    check = schema(with_manifest(built_shop, tmp_path / "package", format=other))
    assert not check.passed
    assert f"has format {other}, and this code serves format {FORMAT}" in check.says


def test_other_columns_are_named_and_another_order_is_noticed(built_shop: Settings, tmp_path: Path) -> None:
    columns = read_json(built_shop.work.model / MANIFEST)["columns"]
    more = schema(with_manifest(built_shop, tmp_path / "more", columns=[*columns, "weather"]))
    assert "(weather)" in more.says
    turned = schema(with_manifest(built_shop, tmp_path / "turned", columns=columns[::-1]))
    assert not turned.passed
    assert "their order" in turned.says


def test_a_folder_without_a_package_is_told(tmp_path: Path) -> None:
    assert "no package" in schema(tmp_path).says


def test_a_damaged_file_is_named(built_shop: Settings, tmp_path: Path) -> None:
    check, package = loads(damaged(built_shop.work.model, tmp_path / "package"))
    assert package is None
    assert "ranker.txt is missing or changed" in check.says


def test_a_package_that_answers_otherwise_than_when_it_was_made_fails_its_self_test(package: ModelPackage) -> None:
    assert self_test(package).passed
    eager = replace(package, ranking=package.ranking.model_copy(update={"discovery": 5.0}))
    assert "fails its self-test" in self_test(eager).says
