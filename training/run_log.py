"""What a registered run keeps: where the model comes from, how good it is and how sure that is, what it costs.

Parameters: the settings it was made with. Tags: data fingerprint, feature view versions, code revision, package.
Metrics: the evaluation with confidence intervals, time and memory to rank, size, and what each stage took. Artifacts:
evaluation, model card, plots, settings, the package itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from configs import Settings
from configs.home import read_json
from configs.provenance import code_revision
from training.aliases import local_folder
from training.evaluation.scalars import scalars
from training.gate.cost import cost_of, recorded_requests
from training.package import ModelPackage
from training.run_tags import origin_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PACKAGE = "package"
CARD, PLOTS = "model_card.md", "plots"
"""What `evaluate` leaves beside `evaluation.json`, and a run keeps with it."""
SECTIONS = ("windows", "features", "candidates", "training", "encoder", "neural", "student", "ranking")
"""Settings that a package depends on."""
MOST_METRICS = 1000
"""That MLflow takes at a time."""


def log_run(
    client: MlflowClient,
    settings: Settings,
    package: ModelPackage,
    evaluation: dict[str, Any],
    parent: str | None,
    tell: Callable[[str], None],
) -> ModelVersion:
    """Log the work folder's package as a run and register it; return its version.

    A run that fails on its way, as on a full disk, is marked so and loses its files; it never becomes a version.

    Args:
        client: of the registry. settings: whose work folder holds the package. package: loaded from there.
        evaluation: its `evaluation.json`. parent: version that is champion now, if any. tell: hears what is done now.
    """
    tell("measuring the package")
    metrics = dict(_metrics(settings, package, evaluation))
    tell("logging the run")
    run = client.create_run(_experiment(client, settings), run_name=package.version)
    run_id = run.info.run_id
    tags = {"data": package.data, "code": code_revision(), "package": package.version, "as_of": str(package.as_of)}
    try:
        _log(client, run_id, settings, evaluation, metrics, tags | origin_tags(settings, parent))
        _make_model(client, settings.registry.model_name)
        source = f"{run.info.artifact_uri}/{PACKAGE}"
        version = client.create_model_version(settings.registry.model_name, source, run_id, tags=tags)
    except BaseException:
        _give_up(client, run_id, run.info.artifact_uri)
        raise
    client.set_terminated(run_id)
    return version


def _log(
    client: MlflowClient,
    run_id: str,
    settings: Settings,
    evaluation: dict[str, Any],
    metrics: dict[str, float],
    tags: dict[str, str],
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    params = [Param(key, value) for key, value in logged_settings(settings).items()]
    client.log_batch(run_id, params=params, tags=[RunTag(key, value) for key, value in tags.items()])
    now = int(datetime.now(UTC).timestamp() * 1_000)
    found = [Metric(name, value, now, 0) for name, value in metrics.items()]
    for first in range(0, len(found), MOST_METRICS):
        client.log_batch(run_id, metrics=found[first : first + MOST_METRICS])
    client.log_dict(run_id, evaluation, "evaluation.json")
    client.log_dict(run_id, {"dataset": settings.dataset} | _sections(settings), "settings.json")
    for path in (settings.work.reports / CARD, settings.work.reports / PLOTS):
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        elif path.exists():
            client.log_artifact(run_id, str(path))
    client.log_artifacts(run_id, str(settings.work.model), PACKAGE)


def logged_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that a run logs, as SECTION.KEY → text."""
    return {f"{name}.{key}": str(value) for name, held in _sections(settings).items() for key, value in held.items()}


def _sections(settings: Settings) -> dict[str, dict[str, Any]]:
    return {section: getattr(settings, section).model_dump(mode="json") for section in SECTIONS}


def _metrics(settings: Settings, package: ModelPackage, evaluation: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield name and value of everything that is measured: of the evaluation, the package and the build."""
    yield from scalars(evaluation).items()
    requests, gate = recorded_requests(package), settings.registry.gate
    cost = cost_of(settings.work.model, None, requests, settings.evaluation.k, gate.timed_repeats)
    yield "package.rank.p50_ms", cost.p50_ms
    yield "package.rank.p99_ms", cost.p99_ms
    yield "package.rank.memory_mb", cost.memory_mb
    yield "package.files.size_mb", cost.size_mb
    for path in sorted(settings.work.stages.glob("*.json")):
        record = read_json(path)
        yield f"stage.{path.stem}.seconds", float(record["seconds"])
        yield f"stage.{path.stem}.peak_mb", float(record["peak_mb"])


def _experiment(client: MlflowClient, settings: Settings) -> str:
    """Return the id of the experiment that runs are logged to, making it on first use."""
    name = settings.registry.experiment
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    place = None if settings.registry.uri else (settings.work.registry / "artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _make_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _give_up(client: MlflowClient, run_id: str, artifacts: str) -> None:
    """Leave nothing of a run but the fact that it failed; a registry that fails even at that keeps it as running."""
    folder = local_folder(artifacts)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    from mlflow.exceptions import MlflowException

    try:
        client.set_terminated(run_id, "FAILED")
    except MlflowException:
        return
