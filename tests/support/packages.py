"""Further packages made out of one: others that rank differently, and broken ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from configs.home import WorkFolder
from training.aliases import CHAMPION, Pointer, point
from training.package import ModelPackage, save_package
from training.selftest import recorded


def another(package: ModelPackage, folder: Path, discovery: float) -> Path:
    """Write a package that differs in how eager it is for products new to the shopper; return its folder."""
    folder.mkdir(parents=True)
    ranking = package.ranking.model_copy(update={"discovery": discovery})
    save_package(folder, recorded(replace(package, version="", ranking=ranking), package.golden))
    return folder


def damaged(original: Path, folder: Path, name: str = "ranker.txt") -> Path:
    """Copy a package with one file's last byte gone; return its folder."""
    shutil.copytree(original, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    return folder


def version_in(folder: Path) -> str:
    """Return the version of the package in a folder."""
    return ModelPackage.load(folder).version


def move(work: WorkFolder, folder: Path, package: str, alias: str = CHAMPION) -> Pointer:
    """Point an alias at a package."""
    return point(work, alias, version="7", package=package, folder=folder, by="a test")
