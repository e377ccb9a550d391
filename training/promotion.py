"""Stages `promote` and `rollback`: who serves is decided here, recorded in the registry, and told to the replicas.

Promotions of one work folder come one after the other, and every move of an alias does, from whichever machine
(`moving`). A move is written down, made, and written down as made; the pointer that replicas follow takes its place
with it. A process that dies in between leaves an alias that stands where it stood or where it was moved to, and the
next move finds out which (`settle`); a pointer that missed it is mended by the follower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import Progress, Settings, StageReport
from configs.errors import NotBuiltError, PackageError, PromotionError
from configs.lock import exclusive
from training.aliases import CHAMPION, pointing
from training.decisions import Decision, record, settle, standing
from training.gate import Candidate, Incumbent, Verdict, judge
from training.gate.fit import loads, self_test
from training.moving import moving
from training.registry import champion, download, evaluation_of, registry_client, version_of
from training.registry_trouble import in_registry
from training.trials import trial_of
from training.verdicts import keep_verdict

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
    """Point `alias` at a version if it passes the gate (`training.gate`), and record the decision.

    Whatever the gate says is kept: in `reports/gate.json`, with the version in the registry, and, if the alias is
    moved, in the decision's evidence.

    Args:
        settings: registry and work folder.
        progress: told the steps.
        version: registry version; the newest when None.
        alias: which alias to move. Whichever it is, the version is compared with the champion.
        force: move it although the gate refuses; needs `why`, which is recorded with all that it overruled.
        why: reason for a forced promotion. evidence: figures to record beside the verdict.

    Raises:
        NotBuiltError: nothing is registered, or no such version.
        PromotionError: the gate refuses, `force` lacks its reason, or the alias was moved meanwhile.
        AlreadyRunningError: another promotion of this work folder is under way.
        RegistryFailedError: the registry cannot be used; RegistryBusyError: another machine is moving its aliases.
    """
    if force and not why:
        raise PromotionError("A forced promotion needs its reason: add --why 'what you know that the gate does not'.")
    lock = exclusive(settings.work.run / "promotion.lock", what="A promotion")
    with lock, in_registry(settings):
        progress.update("opening the registry", 0.05)
        client = registry_client(settings)
        chosen, held = version_of(client, settings, version), champion(settings, alias)
        verdict = _judged(settings, client, chosen, alias, progress)
        keep_verdict(settings, client, chosen, alias, verdict)
        if not (verdict.passed or force):
            raise PromotionError(
                f"Version {chosen.version} is not promoted to {alias}: {verdict}. Train a better one, or promote it "
                "anyway with --force --why REASON."
            )
        progress.update("moving the alias", 0.95)
        reason = f"forced ({why}) against: {verdict if verdict.objections else 'nothing'}" if force else str(verdict)
        overruled = [check.name for check in verdict.objections]
        told = {"verdict": verdict.as_dict(), "overruled": overruled, **(evidence or {})}
        before, folder = None if held is None else str(held.version), download(settings, chosen)
        with moving(settings) as keep:
            decision = Decision.now("promote", alias, before, str(chosen.version), why=reason, evidence=told)
            _require_unmoved(settings, decision)
            history = settle(client, settings.registry.model_name, alias, before)
            decision = decision.following(history)
            _carry_out(settings, client, decision, chosen, folder, keep)
    return _report(decision, chosen)


def rollback(
    settings: Settings,
    progress: Progress,
    *,
    alias: str = CHAMPION,
    why: str | None = None,
    evidence: Mapping[str, Any] | None = None,
    expected: str | None = None,
) -> StageReport:
    """Point `alias` back at the version that it was moved away from last, and record the decision.

    A version that was stepped back from is not returned to by another rollback, only by promoting it again; one whose
    package is damaged is passed over. It waits for no gate: a promotion that is being judged finds the alias moved.

    Args:
        settings: registry and work folder. progress: told the steps. alias: which alias to move.
        why: what is wrong with the present version. evidence: figures that say so.
        expected: version that is to be stepped back from; None: whichever has the alias.

    Raises:
        PromotionError: another version than the expected one has the alias.
        NotBuiltError: nothing has the alias, or there is no earlier version.
        PackageError: every earlier version's package is damaged.
        RegistryFailedError: the registry cannot be used.
    """
    progress.update("opening the registry", 0.1)
    _standing_version(settings, alias)  # a registry without a model has no place for a lease
    with in_registry(settings), moving(settings) as keep:
        client, name = registry_client(settings), settings.registry.model_name
        before = _standing_version(settings, alias)
        if expected not in (None, before):
            raise PromotionError(f"Version {before} is {alias}, not version {expected}: nothing was moved.")
        history = settle(client, name, alias, before)
        earlier = standing(history)
        if earlier and earlier[-1] == before:
            earlier.pop()
        if not earlier:
            raise NotBuiltError(
                f"Version {before} is the first {alias} that is recorded: there is none to go back to. "
                "`tillwise promote N` moves the alias to any other version."
            )
        progress.update("checking the package", 0.6)
        chosen, folder, passed_over = _unharmed(settings, client, earlier[::-1], keep)
        reason = "; ".join([why or "no reason was given", *passed_over])
        decision = Decision.now("rollback", alias, before, str(chosen.version), why=reason, evidence=evidence or {})
        decision = decision.following(history)
        client.set_model_version_tag(name, before, f"{ROLLED_BACK}{alias}", str(decision))
        _carry_out(settings, client, decision, chosen, folder, keep)
    return _report(decision, chosen)


def _standing_version(settings: Settings, alias: str) -> str:
    held = champion(settings, alias)
    if held is None:
        raise NotBuiltError(f"No model is {alias}, so there is nothing to go back from: `tillwise promote` first.")
    return str(held.version)


def _judged(settings: Settings, client: MlflowClient, chosen: ModelVersion, alias: str, progress: Progress) -> Verdict:
    candidate = Candidate(
        str(chosen.version),
        download(settings, chosen),
        evaluation_of(client, chosen),
        trial_of(settings, client, chosen),
        chosen.tags.get(f"{ROLLED_BACK}{alias}"),
    )
    serving = champion(settings)
    incumbent = None if serving is None else Incumbent(str(serving.version), download(settings, serving))
    return judge(settings, candidate, incumbent, lambda doing, done: progress.update(doing, 0.1 + 0.8 * done))


def _unharmed(
    settings: Settings, client: MlflowClient, versions: Sequence[str], keep: Callable[[], None]
) -> tuple[ModelVersion, Path, list[str]]:
    """Return the first of the versions whose package is whole, its folder, and what was wrong with those before it."""
    passed_over: list[str] = []
    for number in versions:
        chosen = version_of(client, settings, number)
        folder = download(settings, chosen)
        harm = _harm(folder)
        keep()  # fetching and loading a package takes its time
        if harm is None:
            return chosen, folder, passed_over
        passed_over.append(f"version {number} was passed over: {harm}")
    raise PackageError(f"No earlier version can serve: {'; '.join(passed_over)}")


def _harm(folder: Path) -> str | None:
    """Return what is wrong with a package; None if it loads and passes its self-test."""
    whole, package = loads(folder)
    if package is None:
        return whole.says
    answers = self_test(package)
    return None if answers.passed else answers.says


def _require_unmoved(settings: Settings, decision: Decision) -> None:
    """Refuse to move an alias that somebody else moved since it was looked at: the verdict was on another champion."""
    held = champion(settings, decision.alias)
    now = None if held is None else str(held.version)
    if now != decision.before:
        raise PromotionError(
            f"While version {decision.after} was judged, {decision.alias} moved from version {decision.before} to "
            f"{now}: run `tillwise promote` again, so that it is compared with what serves now."
        )


def _carry_out(
    settings: Settings,
    client: MlflowClient,
    decision: Decision,
    chosen: ModelVersion,
    folder: Path,
    keep: Callable[[], None],
) -> None:
    """Record a decision, move the alias, and tell the replicas on this machine; others hear it from the registry."""
    name, alias, package = settings.registry.model_name, decision.alias, chosen.tags["package"]
    record(client, name, replace(decision, state="begun"))
    with pointing(settings.work, alias, version=decision.after, package=package, folder=folder, by=str(decision)):
        keep()
        client.set_registered_model_alias(name, alias, chosen.version)
    record(client, name, decision)
    if decision.kind == "promote":
        tag = f"{decision.at[:19]}Z to {alias}: {decision.why}"
        client.set_model_version_tag(name, chosen.version, f"promoted_{alias}", tag)
        if f"{ROLLED_BACK}{alias}" in chosen.tags:
            client.delete_model_version_tag(name, chosen.version, f"{ROLLED_BACK}{alias}")


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
