"""Where verdicts of the gate are kept: the newest in `var/reports/gate.json`, all with their version's run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import Settings
from configs.home import WorkFolder, read_json, write_json
from configs.provenance import code_revision
from training.gate import Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FILE = "gate.json"


def verdict_path(work: WorkFolder) -> Path:
    """Return the file of the newest verdict."""
    return work.reports / FILE


def newest_verdict(work: WorkFolder) -> dict[str, Any] | None:
    """Return the content of `gate.json`: a verdict as plain data, with `at` and the `alias` it is about; or None."""
    found: dict[str, Any] | None = read_json(verdict_path(work))
    return found


def keep_verdict(settings: Settings, client: MlflowClient, version: ModelVersion, alias: str, verdict: Verdict) -> None:
    """Write a verdict to the work folder and to its version: a tag with its sentence, an artifact with all of it."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    report = {"made_by": "tillwise promote", "at": at, "code": code_revision(), "alias": alias} | verdict.as_dict()
    write_json(verdict_path(settings.work), report)
    said = "passed" if verdict.passed else "refused"
    client.set_model_version_tag(
        settings.registry.model_name, version.version, f"gate_{alias}", f"{said} at {at}: {verdict}"
    )
    client.log_dict(version.run_id, report, f"gate/{alias}-{at[:19].replace(':', '')}Z.json")
