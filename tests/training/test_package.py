"""Model packages: the same inputs make the same package, and a damaged one is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from configs import Settings
from configs.errors import PackageError
from tests.support.shop import QUICK, shop_settings, train_all
from training.package import ModelPackage
from training.product_side import WORKED_OUT


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
    matrix, products = package.matrix, package.products
    mapped = [
        matrix.together.cosine.weight,
        products.in_stock,
        products.levels.parent,
        matrix.worth,
        matrix.key_index.keys,
    ]
    assert all(isinstance(array.base, np.memmap) for array in mapped)


def test_what_a_package_keeps_of_its_products_is_what_would_be_worked_out_of_them(package: ModelPackage) -> None:
    afresh = replace(package.matrix, catalogue=replace(package.products))
    for name in WORKED_OUT:
        kept, expected = getattr(package.matrix, name), getattr(afresh, name)
        assert kept.dtype == expected.dtype
        np.testing.assert_array_equal(kept, expected)
    for name in ("leaf", "parent", "department"):
        np.testing.assert_array_equal(getattr(package.products.levels, name), getattr(afresh.catalogue.levels, name))
    order = package.matrix.by_popularity.tolist()
    titles, ids = ([texts[row].lower() for row in order] for texts in (package.products.titles, package.products.ids))
    assert (list(package.matrix.searched[0]), list(package.matrix.searched[1])) == (titles, ids)
    np.testing.assert_array_equal(package.matrix.key_index.find(package.products.keys), np.arange(len(order)))


@pytest.mark.parametrize(
    "name", ["ranker.txt", "student.onnx", "student_int8.onnx", "cosine_weight.npy", "titles_bytes.npy"]
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
