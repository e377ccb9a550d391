"""What a version needs to come through the gate, and a gate without the checks that take long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configs import Settings, load_settings
from configs.home import read_json, write_json
from tests.support.shared import made_once
from training.gate.cost import Cost
from training.package import ModelPackage
from training.registry import registry_client
from training.trials import trial_path


def audited(settings: Settings) -> None:
    """Let the newest evaluation hold a bias audit that passed."""
    path = settings.work.reports / "evaluation.json"
    write_json(path, read_json(path) | {"audit": {"passed": True, "findings": [], "groups": {}}})


COST = Cost(p50_ms=2.0, p99_ms=4.0, memory_mb=300.0, size_mb=100.0, beside=(2.0, 4.0))
"""What a package costs that is measured nowhere."""


def good_trial(version: str, **changed: Any) -> dict[str, Any]:
    """Return what a trial of a package says that went well."""
    well = {
        "package": version,
        "trouble": None,
        "sessions": 20,
        "requests": 60,
        "errors": 0,
        "fallback_share": 0.0,
        "latency_ms": {"p50": 3.0, "p95": 5.0, "p99": 9.0},
        "answered_by": [version],
    }
    return well | changed


def tried(settings: Settings, package: str | None = None) -> None:
    """Let the newest trial be one of a package, the work folder's if none is named, that went well."""
    version = package or ModelPackage.load(settings.work.model).version
    write_json(trial_path(settings.work), good_trial(version))


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a registry in which nothing is registered, to be copied: MLflow takes a second to make its tables."""

    def make(home: Path) -> None:
        registry_client(load_settings(home=home)).search_experiments()

    return made_once(tmp_path_factory, "empty-registry", make) / "registry"


@contextlib.contextmanager
def measuring_nothing() -> Iterator[None]:
    """Measure no package while the block runs: that takes seconds, and has a test of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("training.gate.judging", "training.run_log"):
            patch.setattr(f"{place}.cost_of", lambda *_: COST)
        yield


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """See `measuring_nothing`."""
    with measuring_nothing():
        yield


@pytest.fixture
def quick_gate(unmeasured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what wants baskets and a trial as well, which have tests of their own; the rest of the gate is real."""
    monkeypatch.setattr("training.gate.judging._compared", lambda *_: [])
    monkeypatch.setattr("training.promotion.trial_of", lambda settings, client, one: good_trial(one.tags["package"]))
