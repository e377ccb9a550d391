"""A registry of packages that lie somewhere, and a champion, without training or evaluating anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from configs import Settings
from training.aliases import CHAMPION, point
from training.decisions import Decision, record
from training.package import ModelPackage
from training.registry import champion, registry_client

EXPERIMENT = "crowning"


def enlist(settings: Settings, folders: Sequence[Path]) -> list[str]:
    """Register packages as they lie there; return their versions, in order."""
    client, name = registry_client(settings), settings.registry.model_name
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = client.create_experiment(EXPERIMENT) if experiment is None else experiment.experiment_id
    run = client.create_run(experiment_id).info.run_id
    packages = [ModelPackage.load(folder).version for folder in folders]
    return [
        str(client.create_model_version(name, folder.as_uri(), run, tags={"package": package}).version)
        for folder, package in zip(folders, packages, strict=True)
    ]


def crown(
    settings: Settings, version: str, at: float | None = None, kind: Literal["promote", "rollback"] = "promote"
) -> None:
    """Make a version champion as promoting or going back does, without a gate: decision, alias, pointer.

    `at`: as if it was done then, unix seconds.
    """
    client, name = registry_client(settings), settings.registry.model_name
    held, chosen = champion(settings), client.get_model_version(name, version)
    before = None if held is None else str(held.version)
    decision = Decision.now(kind, CHAMPION, before, version, why="crowned without a gate", evidence={})
    if at is not None:
        decision = replace(decision, at=datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds"))
    record(client, name, decision)
    client.set_registered_model_alias(name, CHAMPION, version)
    folder = Path(chosen.source.removeprefix("file://"))
    package = chosen.tags["package"]
    point(settings.work, CHAMPION, version=version, package=package, folder=folder, by=str(decision))
