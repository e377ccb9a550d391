"""What trials found: the newest in `var/reports/trial.json`, each version's own with its run in the registry."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import Settings
from configs.home import WorkFolder, read_json
from training.registry import download, registry_client, version_of
from training.registry_trouble import in_registry

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FILE = "trial.json"


def trial_path(work: WorkFolder) -> Path:
    """Return the file of the newest trial's figures."""
    return work.reports / FILE


def trial_version(settings: Settings, version: str | None) -> tuple[ModelVersion, Path]:
    """Return the registry version to try, the newest when None, and the folder of its package.

    Raises:
        NotBuiltError: there is none. RegistryFailedError: the registry cannot be used.
    """
    with in_registry(settings):
        chosen = version_of(registry_client(settings), settings, version)
        return chosen, download(settings, chosen)


def remember_trial(settings: Settings, version: ModelVersion, report: Mapping[str, Any]) -> None:
    """Keep a trial's figures with the version's run.

    Raises:
        RegistryFailedError: the registry cannot be used.
    """
    with in_registry(settings):
        registry_client(settings).log_dict(version.run_id, dict(report), FILE)


def trial_of(settings: Settings, client: MlflowClient, version: ModelVersion) -> dict[str, Any] | None:
    """Return what the newest trial of a version found; None if it was never tried."""
    newest: dict[str, Any] | None = read_json(trial_path(settings.work))
    if newest is not None and newest["package"] == version.tags["package"]:
        return newest
    from mlflow.exceptions import MlflowException

    with contextlib.suppress(MlflowException, OSError):  # no such artifact
        import mlflow

        artifacts = client.get_run(version.run_id).info.artifact_uri
        found: dict[str, Any] = mlflow.artifacts.load_dict(f"{artifacts}/{FILE}")
        return found
    return None
