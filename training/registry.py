"""The registry, and the stage `register`: MLflow keeps packages and decisions; the alias `champion` says what serves.

MLflow takes seconds and hundreds of megabytes to import: only these functions do, never a serving process.
"""

from __future__ import annotations

import logging
import os
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import Progress, Settings, StageReport
from configs.errors import NotBuiltError
from configs.home import read_json, replace_directory
from configs.provenance import code_revision
from training.aliases import CHAMPION, local_folder, registry_uri
from training.evaluation.scalars import scalars
from training.package import MANIFEST, ModelPackage

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PACKAGE = "package"
CARD, PLOTS = "model_card.md", "plots"
"""What `evaluate` leaves beside `evaluation.json`, and a run keeps with it."""


def register(settings: Settings, progress: Progress) -> StageReport:
    """Log the newest package with its evaluation as an MLflow run and register it; a known package is not repeated.

    Raises:
        NotBuiltError: there is no package or no evaluation of it yet.
    """
    package = ModelPackage.load(settings.work.model)
    evaluation = _evaluation(settings, package.version)
    progress.update("opening the registry", 0.1)
    client = registry_client(settings)
    known = _find(client, settings, package.version)
    if known is None:
        progress.update("logging the run", 0.4)
        known = _log(client, settings, package, evaluation)
        note = f"version {known.version} holds package {package.version}"
    else:
        note = f"package {package.version} is registered already, as version {known.version}"
    return StageReport(
        "register",
        read={"packages": 1},
        wrote={"versions": len(client.search_model_versions(f"name='{settings.registry.model_name}'"))},
        notes=[note],
        metrics={"version": int(known.version), "package": package.version},
    )


def champion(settings: Settings, alias: str = CHAMPION) -> ModelVersion | None:
    """Return the registry version that an alias points at, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return registry_client(settings).get_model_version_by_alias(settings.registry.model_name, alias)
    except MlflowException as error:
        # That nobody has the alias is told so; a registry that is locked or away is no answer.
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        return None


def champion_package(settings: Settings, alias: str = CHAMPION) -> Path:
    """Return the folder of the package that an alias points at, downloading it if the registry is remote.

    Raises:
        NotBuiltError: no version has the alias.
    """
    held = champion(settings, alias)
    if held is None:
        raise NotBuiltError(f"No model is {alias} yet: run `make run`, or `tillwise train`, `register` and `promote`.")
    return download(settings, held)


def registry_client(settings: Settings) -> MlflowClient:
    """Return a client of the registry, making the local one on first use."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with warnings.catch_warnings():
        # MLflow's imports use names that its dependencies deprecate.
        warnings.simplefilter("ignore")
        import mlflow

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


def _log(client: MlflowClient, settings: Settings, package: ModelPackage, evaluation: dict[str, Any]) -> ModelVersion:
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(settings.registry.experiment)
    experiment_id = (
        experiment.experiment_id
        if experiment
        else client.create_experiment(
            settings.registry.experiment,
            artifact_location=None if settings.registry.uri else (settings.work.registry / "artifacts").as_uri(),
        )
    )
    run = client.create_run(experiment_id, run_name=package.version)
    run_id = run.info.run_id
    for section in ("windows", "features", "candidates", "training", "encoder", "neural", "student", "ranking"):
        for key, value in getattr(settings, section).model_dump().items():
            client.log_param(run_id, f"{section}.{key}", value)
    tags = {"data": package.data, "code": code_revision(), "package": package.version, "as_of": str(package.as_of)}
    for key, value in tags.items():
        client.set_tag(run_id, key, value)
    now = int(datetime.now(UTC).timestamp() * 1_000)
    metrics = [Metric(name, value, now, 0) for name, value in scalars(evaluation).items()]
    client.log_batch(run_id, metrics=metrics)
    client.log_dict(run_id, evaluation, "evaluation.json")
    for path in (settings.work.reports / CARD, settings.work.reports / PLOTS):
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        elif path.exists():
            client.log_artifact(run_id, str(path))
    client.log_artifacts(run_id, str(settings.work.model), PACKAGE)
    try:
        client.create_registered_model(settings.registry.model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{run.info.artifact_uri}/{PACKAGE}"
    version = client.create_model_version(settings.registry.model_name, source, run_id, tags=tags)
    client.set_terminated(run_id)
    return version


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
