"""What tests of promotions ask of a work folder and its registry."""

from __future__ import annotations

import shutil

from configs import Settings, SilentProgress
from configs.home import read_json, write_json
from tests.support.packages import another
from training.aliases import CHAMPION, Pointer, pointer_path, read_pointer
from training.package import ModelPackage
from training.registry import champion, register

QUIET = SilentProgress()


def registered(settings: Settings, package: ModelPackage, count: int) -> list[str]:
    """Register so many packages, the given one first; return their versions."""
    versions = []
    for number in range(count):
        if number:
            shutil.rmtree(settings.work.model)
            another(package, settings.work.model, float(number))
        version = ModelPackage.load(settings.work.model).version
        path = settings.work.reports / "evaluation.json"
        write_json(path, read_json(path) | {"model_version": version})
        register(settings, QUIET)
        versions.append(version)
    return versions


def pointer(settings: Settings, alias: str = CHAMPION) -> Pointer:
    found = read_pointer(pointer_path(settings.work, alias))
    assert found is not None
    return found


def version(settings: Settings) -> int:
    held = champion(settings)
    assert held is not None
    return int(held.version)
