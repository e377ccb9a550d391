"""Where a registered version came from, and what was decided about it, read from the registry alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from configs import Settings
from configs.errors import NotBuiltError
from configs.moments import moment
from training import run_tags
from training.decisions import Decision, decisions_about
from training.registry import registry_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

NEWEST = "newest"


@dataclass(frozen=True)
class Lineage:
    """What made a version. None stands for what its run did not log.

    Attributes:
        version, package, aliases, registered_at: which it is.
        data: fingerprint, as_of, and from `run_tags.ORIGIN` dataset, sources, orders' window, counts.
        code: commit. features: as in `run_tags.FEATURES`. config: setting → value as text.
        parent: the champion that it was compared with; "" if there was none.
        feedback: weights of what was blended in. stages: stage → seconds, peak_mb, finished_at.
        decisions: those that moved an alias to or from it, oldest first.
    """

    version: str
    package: str | None
    aliases: list[str]
    registered_at: str
    data: dict[str, Any]
    code: str | None
    features: dict[str, Any] | None
    config: dict[str, str] | None
    parent: str | None
    feedback: dict[str, Any] | None
    stages: dict[str, Any] | None
    decisions: list[Decision]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-serialisable plain data."""
        return asdict(self)


def lineage(settings: Settings, version: str) -> Lineage:
    """Return where a version came from.

    Args:
        settings: of the registry. version: its number, the version of its package, an alias
            such as `champion`, or `newest`.

    Raises:
        NotBuiltError: the registry holds no such version, or nothing at all.
    """
    name = settings.registry.model_name
    if settings.registry.uri is None and not (settings.work.registry / "mlflow.db").exists():
        raise NotBuiltError("Nothing is registered yet: run `make run`, or `tillwise register`.")
    client = registry_client(settings)
    chosen = _chosen(client, name, version)
    run = client.get_run(chosen.run_id).data
    tags: Mapping[str, str] = chosen.tags | run.tags
    return Lineage(
        version=str(chosen.version),
        package=tags.get(run_tags.PACKAGE),
        aliases=sorted(chosen.aliases),
        registered_at=moment(chosen.creation_timestamp / 1_000),
        data=_data(tags),
        code=tags.get(run_tags.CODE),
        features=_json(tags, run_tags.FEATURES),
        config=dict(sorted(run.params.items())) or None,
        parent=tags.get(run_tags.PARENT),
        feedback=_json(tags, run_tags.FEEDBACK),
        stages=_json(tags, run_tags.STAGES),
        decisions=decisions_about(client, name, str(chosen.version)),
    )


def _chosen(client: MlflowClient, name: str, wanted: str) -> ModelVersion:
    held = sorted((int(version.version) for version in client.search_model_versions(f"name='{name}'")), reverse=True)
    for number in held:
        version = client.get_model_version(name, str(number))  # a search tells no aliases
        if wanted in {NEWEST, str(number), version.tags.get(run_tags.PACKAGE), *version.aliases}:
            return version
    there = ", ".join(map(str, held[::-1])) or "none yet"
    raise NotBuiltError(
        f"The registry holds no version {wanted!r} of {name}, neither as number nor as package or alias; its versions: "
        f"{there}. `tillwise register` adds one."
    )


def _data(tags: Mapping[str, str]) -> dict[str, Any]:
    as_of = tags.get(run_tags.AS_OF)
    told = {"fingerprint": tags.get(run_tags.DATA), "as_of": None if as_of is None else moment(float(as_of))}
    return told | (_json(tags, run_tags.ORIGIN) or {})


def _json(tags: Mapping[str, str], name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(tags[name]) if name in tags else None
    return found
