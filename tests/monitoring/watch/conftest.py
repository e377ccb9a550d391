"""Worlds with a local MLflow registry and a record on SQLite, or on what a test asks for, made quickly."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.crowning import enlist
from configs import Settings
from tests.events.record.support import Record
from tests.monitoring.watch.support import World
from tests.support.packages import another, version_in
from training.package import ModelPackage


@pytest.fixture(scope="session")
def packages(built_shop: Settings, package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of three packages that rank differently."""
    folder = tmp_path_factory.mktemp("packages")
    return [built_shop.work.model, another(package, folder / "b", 1.0), another(package, folder / "c", 2.0)]


@pytest.fixture(scope="session")
def prepared(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A work folder with an empty record and a registry of the packages, none of them champion; version → package."""
    home = tmp_path_factory.mktemp("prepared")
    record = Record(home)
    versions = enlist(record.settings, packages)
    record.engine.dispose()
    return home, dict(zip(versions, map(version_in, packages), strict=True))


@pytest.fixture
def new_world(
    prepared: tuple[Path, dict[str, str]], tmp_path: Path, record_url: str | None
) -> Iterator[Callable[..., World]]:
    """Make a world; keyword arguments are settings of `monitoring.watch`."""
    made: list[World] = []

    def make(seed: int = 3, **watch: Any) -> World:
        home = tmp_path / f"world{len(made)}"
        shutil.copytree(prepared[0], home)
        made.append(World(home, prepared[1], watch, seed=seed, url=record_url))
        return made[-1]

    yield make
    for world in made:
        world.engine.dispose()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """A world."""
    return new_world()
