"""A shop whose registry holds a champion and two versions more, with a record to which exposures are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configs import Settings, SilentProgress, load_settings
from configs.home import read_json, write_json
from tests.events.record.support import Record
from tests.monitoring.release.support import STEPS, Shop
from tests.support.gate import measuring_nothing
from tests.support.packages import another, version_in
from training.package import ModelPackage
from training.promotion import promote
from training.registry import register


@pytest.fixture(scope="session")
def released(built_shop: Settings, package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A work folder whose registry holds versions 1 to 3, the first of them champion; not to be changed."""
    home = tmp_path_factory.mktemp("releases")
    shutil.copytree(built_shop.work.model, home / "model")
    shutil.copytree(built_shop.work.reports, home / "reports")
    limits = load_settings().release.model_dump() | {"steps": STEPS, "metrics": ["attach_rate"]}
    watched = built_shop.monitoring.model_copy(update={"least_people": 20})
    changed: dict[str, Any] = {
        "home": home,
        "monitoring": watched,
        "release": type(built_shop.release).model_validate(limits),
    }
    settings = built_shop.model_copy(update=changed)
    with measuring_nothing():
        for number in range(3):
            if number:
                shutil.rmtree(home / "model")
                another(package, home / "model", float(number))
            path = settings.work.reports / "evaluation.json"
            write_json(path, read_json(path) | {"model_version": version_in(settings.work.model)})
            register(settings, SilentProgress())
        promote(settings, SilentProgress(), version="1", force=True, why="a test")
    return settings


@pytest.fixture
def shop(released: Settings, unmeasured: None, tmp_path: Path, record_url: str | None) -> Iterator[Shop]:
    """A copy of it. Its packages lie where they were; the record is on SQLite, or on what a test asks for."""
    shutil.copytree(released.work.registry, tmp_path / "registry", ignore=shutil.ignore_patterns("artifacts"))
    shutil.copytree(released.work.run, tmp_path / "run")
    record = Record(tmp_path, record_url)
    yield Shop(released.model_copy(update={"home": tmp_path, "record": record.settings.record}), record)
    record.engine.dispose()
