"""Model packages: the same inputs make the same package, and a damaged one is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from configs import Settings
from configs.errors import PackageError
from tests.support.shop import QUICK, shop_settings, train_all
from training.package import ModelPackage


@pytest.fixture
def copy(built_shop: Settings, tmp_path: Path) -> Path:
    """A package that may be damaged."""
    return Path(shutil.copytree(built_shop.work.model, tmp_path / "package"))


def test_training_twice_on_the_same_inputs_gives_the_same_version_whether_or_not_it_looks_for_feedback(
    built_shop: Settings, tmp_path: Path
) -> None:
    assert built_shop.feedback.enabled  # nothing is recorded beside the shop
    versions = []
    for number, told in enumerate(({}, {"feedback": {"enabled": False}})):
        settings = shop_settings(tmp_path / str(number), **QUICK, **told)
        settings.home.mkdir()
        for part in ("data", "features"):
            (settings.home / part).symlink_to(built_shop.work.root / part)
        with threadpool_limits(1):  # whatever else ran in this process may have left it with other numbers of threads
            versions.append(train_all(settings))
    assert versions[0] == versions[1]


def test_a_loaded_package_maps_its_arrays_instead_of_copying_them(package: ModelPackage) -> None:
    assert isinstance(package.matrix.together.cosine.weight.base, np.memmap)


@pytest.mark.parametrize(
    "name", ["ranker.txt", "student.onnx", "student_int8.onnx", "cosine_weight.npy", "products.parquet"]
)
def test_a_changed_file_is_refused_by_name(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(PackageError, match=f"corrupt: {name}"):
        ModelPackage.load(copy)


def test_a_missing_file_is_refused_by_name(copy: Path) -> None:
    (copy / "ranker.txt").unlink()
    with pytest.raises(PackageError, match=r"corrupt: ranker\.txt"):
        ModelPackage.load(copy)


def test_a_package_for_other_features_names_the_difference(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["columns"][0] = "moon_phase"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PackageError, match="moon_phase"):
        ModelPackage.load(copy)


def test_a_changed_manifest_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["as_of"] += 1
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PackageError, match="changed manifest"):
        ModelPackage.load(copy)


def test_no_package_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="tillwise train"):
        ModelPackage.load(tmp_path)
