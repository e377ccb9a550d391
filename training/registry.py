"""The registry, and the stage `register`: MLflow keeps packages and decisions; the alias `champion` says what serves.

MLflow takes seconds and hundreds of megabytes to import: only these functions do, never a serving process.
"""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import Progress, Settings, StageReport
from configs.errors import NotBuiltError
from configs.home import read_json, replace_directory
from training.aliases import CHAMPION, local_folder, registry_uri
from training.manifest import MANIFEST
from training.package import ModelPackage
from training.registry_trouble import in_registry
from training.run_log import log_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow calls a model, version or alias that there is not."""


def register(settings: Settings, progress: Progress) -> StageReport:
    """Log the newest package with its evaluation as an MLflow run and register it; a known package is not repeated.

    Raises:
        NotBuiltError: there is no package or no evaluation of it yet.
        RegistryFailedError: the registry cannot be used; no version is left half registered.
    """
    package = ModelPackage.load(settings.work.model)
    evaluation = _evaluation(settings, package.version)
    progress.update("opening the registry", 0.1)
    with in_registry(settings):
        client = registry_client(settings)
        known = _find(client, settings, package.version)
        if known is None:
            held = champion(settings)
            parent = None if held is None else str(held.version)
            known = log_run(client, settings, package, evaluation, parent, lambda doing: progress.update(doing, 0.4))
            note = f"version {known.version} holds package {package.version}"
        else:
            note = f"package {package.version} is registered already, as version {known.version}"
        versions = len(client.search_model_versions(f"name='{settings.registry.model_name}'"))
    return StageReport(
        "register",
        read={"packages": 1},
        wrote={"versions": versions},
        notes=[note],
        metrics={"version": int(known.version), "package": package.version},
    )


def champion(settings: Settings, alias: str = CHAMPION) -> ModelVersion | None:
    """Return the registry version that an alias points at, or None.

    Raises:
        RegistryFailedError: the registry cannot be used.
    """
    from mlflow.exceptions import MlflowException

    with in_registry(settings):
        try:
            return registry_client(settings).get_model_version_by_alias(settings.registry.model_name, alias)
        except MlflowException as error:
            if error.error_code in UNKNOWN:
                return None
            raise


def registry_client(settings: Settings) -> MlflowClient:
    """Return a client of the registry, making the local one on first use."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default tries for minutes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with warnings.catch_warnings():
        # MLflow's imports use names that its dependencies deprecate.
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.store.db.utils

        mlflow.store.db.utils.MAX_RETRY_COUNT = 4  # no setting of MLflow's; the default takes minutes to say it is away
        for name in ("mlflow", "alembic"):  # their progress is ours to tell
            logging.getLogger(name).setLevel(logging.WARNING)
        settings.work.registry.mkdir(parents=True, exist_ok=True)
        uri = registry_uri(settings)
        mlflow.set_tracking_uri(uri)
        return mlflow.MlflowClient(uri, uri)


def _evaluation(settings: Settings, package: str) -> dict[str, Any]:
    report: dict[str, Any] | None = read_json(settings.work.reports / "evaluation.json")
    if report is None or report["model_version"] != package:
        found = "no evaluation" if report is None else f"an evaluation of package {report['model_version']}"
        raise NotBuiltError(f"Found {found}, expected one of package {package}: run `tillwise evaluate` first.")
    return report


def _find(client: MlflowClient, settings: Settings, package: str) -> ModelVersion | None:
    found = client.search_model_versions(f"name='{settings.registry.model_name}' and tags.package='{package}'")
    return max(found, key=lambda version: int(version.version)) if found else None


def version_of(client: MlflowClient, settings: Settings, version: str | None) -> ModelVersion:
    """Return a version of the registered model, the newest when None.

    Raises:
        NotBuiltError: there is none.
    """
    found = client.search_model_versions(f"name='{settings.registry.model_name}'")
    if version is not None:
        found = [item for item in found if str(item.version) == version]
    if not found:
        which = f"version {version}" if version else "any version"
        raise NotBuiltError(
            f"The registry does not hold {which} of {settings.registry.model_name}: register one first."
        )
    return max(found, key=lambda item: int(item.version))


def evaluation_of(client: MlflowClient, version: ModelVersion) -> dict[str, Any]:
    """Return the evaluation that a version was registered with."""
    import mlflow

    artifacts = client.get_run(version.run_id).info.artifact_uri
    found: dict[str, Any] = mlflow.artifacts.load_dict(f"{artifacts}/evaluation.json")
    return found


def download(settings: Settings, version: ModelVersion) -> Path:
    """Return the folder of a version's package on this machine, fetching it first if it lies elsewhere."""
    import mlflow

    source: str = version.source
    here = local_folder(source)
    if here is not None:
        return here
    target: Path = settings.work.registry / "downloads" / version.tags["package"]
    if not (target / MANIFEST).exists():
        with replace_directory(target) as folder:
            fetched = Path(mlflow.artifacts.download_artifacts(source, dst_path=str(folder)))
            if fetched != folder:  # MLflow puts it into a folder of the artifact's name
                for path in fetched.iterdir():
                    path.rename(folder / path.name)
                fetched.rmdir()
    return target
