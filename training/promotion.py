"""Stages `promote` and `rollback`: who serves is decided here, recorded in the registry, and told to the replicas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import Progress, Settings, StageReport
from configs.errors import NotBuiltError, PackageError, PromotionError
from training.aliases import CHAMPION, point
from training.decisions import Decision, decisions, record, standing
from training.package import ModelPackage
from training.recommender import Recommender
from training.registry import champion, download, evaluation_of, registry_client, version_of
from training.selftest import check

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

ROLLED_BACK = "rolled_back_"
"""With the alias's name, the tag of a version that was stepped back from."""


def promote(
    settings: Settings,
    progress: Progress,
    *,
    version: str | None = None,
    alias: str = CHAMPION,
    force: bool = False,
    why: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> StageReport:
    """Point `alias` at a version if it passes the gate, and record the decision.

    The gate: the package loads unharmed and passes its self-test, and its hit rate's 95 % interval lies above that of
    every arm in `registry.beat_arms`, on the held-out cases it was registered with. A version that was stepped back
    from does not pass again by itself.

    Args:
        settings: registry and work folder.
        progress: told the steps.
        version: registry version; the newest when None.
        alias: which alias to move.
        force: move it although the gate refuses; needs `why`, which is recorded.
        why: reason for a forced promotion. evidence: figures to record beside the gate's.

    Raises:
        NotBuiltError: nothing is registered, or no such version.
        PromotionError: the gate refuses, or `force` lacks its reason.
    """
    if force and not why:
        raise PromotionError("A forced promotion needs its reason: add --why 'what you know that the gate does not'.")
    progress.update("opening the registry", 0.1)
    client = registry_client(settings)
    chosen = version_of(client, settings, version)
    progress.update("checking the package", 0.6)
    folder = download(settings, chosen)
    gate = _gate(settings, client, chosen, alias, folder)
    if gate.objections and not force:
        raise PromotionError(
            f"Version {chosen.version} is not promoted to {alias}: {'; '.join(gate.objections)}. Train a better one, "
            "or promote it anyway with --force --why REASON."
        )
    against = f"forced ({why}) against: {'; '.join(gate.objections) or 'nothing'}"
    held = champion(settings, alias)
    before = None if held is None else str(held.version)
    reason = against if force else "passed the gate"
    decision = Decision.now(
        "promote", alias, before, str(chosen.version), why=reason, evidence={**gate.evidence, **(evidence or {})}
    )
    _carry_out(settings, client, decision, chosen, folder)
    return _report(decision, chosen)


def rollback(
    settings: Settings,
    progress: Progress,
    *,
    alias: str = CHAMPION,
    why: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> StageReport:
    """Point `alias` back at the version that it was moved away from last, and record the decision.

    A version that was stepped back from is not returned to by another rollback, only by promoting it again; one whose
    package is damaged is passed over.

    Args:
        settings: registry and work folder. progress: told the steps. alias: which alias to move.
        why: what is wrong with the present version. evidence: figures that say so.

    Raises:
        NotBuiltError: nothing has the alias, or there is no earlier version.
        PackageError: every earlier version's package is damaged.
    """
    progress.update("opening the registry", 0.1)
    client, name = registry_client(settings), settings.registry.model_name
    held = champion(settings, alias)
    if held is None:
        raise NotBuiltError(f"No model is {alias}, so there is nothing to go back from: `tillwise promote` first.")
    before = str(held.version)
    earlier = standing(decisions(client, name, alias))
    if earlier and earlier[-1] == before:
        earlier.pop()
    if not earlier:
        raise NotBuiltError(
            f"Version {before} is the first {alias} that is recorded: there is none to go back to. "
            "`tillwise promote --version N` moves the alias to any other version."
        )
    progress.update("checking the package", 0.6)
    chosen, folder, passed_over = _unharmed(settings, client, earlier[::-1])
    reason = "; ".join([why or "no reason was given", *passed_over])
    decision = Decision.now("rollback", alias, before, str(chosen.version), why=reason, evidence=evidence or {})
    client.set_model_version_tag(name, before, f"{ROLLED_BACK}{alias}", str(decision))
    _carry_out(settings, client, decision, chosen, folder)
    return _report(decision, chosen)


@dataclass(frozen=True)
class _Gate:
    """Why a version should not be promoted, and the figures that speak for and against it."""

    objections: list[str]
    evidence: dict[str, Any]


def _gate(settings: Settings, client: MlflowClient, version: ModelVersion, alias: str, folder: Path) -> _Gate:
    harm = _harm(folder)
    if harm is not None:
        return _Gate([harm], {})
    rolled_back = version.tags.get(f"{ROLLED_BACK}{alias}")
    objections = [f"it was stepped back from ({rolled_back})"] if rolled_back else []
    arms = evaluation_of(client, version)["variants"]["loo"]["arms"]
    low = arms["model"]["hit_rate"]["ci95"][0]
    for arm in settings.registry.beat_arms:
        if arm not in arms:
            objections.append(f"it was not compared with {arm}")
        elif low <= (high := arms[arm]["hit_rate"]["ci95"][1]):
            objections.append(f"its hit rate's interval starts at {low:.4f}, not above {arm}'s end at {high:.4f}")
    compared = [arm for arm in ("model", *settings.registry.beat_arms) if arm in arms]
    return _Gate(objections, {"hit_rate_ci95": {arm: arms[arm]["hit_rate"]["ci95"] for arm in compared}})


def _harm(folder: Path) -> str | None:
    """Return what is wrong with a package; None if it loads and passes its self-test."""
    try:
        check(Recommender(ModelPackage.load(folder)))
    except (PackageError, OSError) as error:
        return str(error)
    return None


def _unharmed(settings: Settings, client: MlflowClient, versions: list[str]) -> tuple[ModelVersion, Path, list[str]]:
    """Return the first of the versions whose package is whole, its folder, and what was wrong with those before it."""
    passed_over: list[str] = []
    for number in versions:
        chosen = version_of(client, settings, number)
        folder = download(settings, chosen)
        harm = _harm(folder)
        if harm is None:
            return chosen, folder, passed_over
        passed_over.append(f"version {number} was passed over: {harm}")
    raise PackageError(f"No earlier version can serve: {'; '.join(passed_over)}")


def _carry_out(
    settings: Settings, client: MlflowClient, decision: Decision, chosen: ModelVersion, folder: Path
) -> None:
    """Record a decision, move the alias, and tell the replicas on this machine; others hear it from the registry."""
    name = settings.registry.model_name
    record(client, name, decision)
    if decision.kind == "promote":
        tag = f"{decision.at[:19]}Z to {decision.alias}: {decision.why}"
        client.set_model_version_tag(name, chosen.version, f"promoted_{decision.alias}", tag)
        if f"{ROLLED_BACK}{decision.alias}" in chosen.tags:
            client.delete_model_version_tag(name, chosen.version, f"{ROLLED_BACK}{decision.alias}")
    client.set_registered_model_alias(name, decision.alias, chosen.version)
    package = chosen.tags["package"]
    point(settings.work, decision.alias, version=decision.after, package=package, folder=folder, by=str(decision))


def _report(decision: Decision, chosen: ModelVersion) -> StageReport:
    package = chosen.tags["package"]
    before = "" if decision.before in {None, decision.after} else f", after version {decision.before}"
    return StageReport(
        decision.kind,
        read={"versions": 1},
        wrote={"aliases": 1},
        notes=[f"version {decision.after} (package {package}) is {decision.alias}{before}: {decision.why}"],
        metrics={"version": int(decision.after), "package": package, "before": decision.before},
    )
