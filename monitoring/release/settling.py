"""Making registry, pointers and records agree with what the release's file says.

The file is written first, and says what is to be done; then it is done. Everything here may be done twice, so that
whoever looks next after a process was killed brings it to its end.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from configs import Progress, Settings
from configs.errors import PromotionError
from monitoring.release.history import keep
from training.aliases import CHALLENGER, CHAMPION
from training.decisions import Decision, record
from training.following import Follower
from training.promotion import promote
from training.registry import registry_client
from training.releasing import Release, release_path, write_release
from training.withdrawal import held_aliases, mark_bad, withdraw


def told(release: Release, why: str, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return the decision that a release goes on, ends or begins, as the file keeps it until it is recorded."""
    decision = Decision.now("release", CHALLENGER, release.champion, release.version, why=why, evidence=evidence)
    return asdict(decision)


def settle(settings: Settings, progress: Progress, release: Release) -> Release | None:
    """Do what a release's file says; return what it says then, None if the release has ended."""
    if release.phase == "running":
        _record(settings, release)
        return release
    if release.phase == "starting":
        _undo(settings, release)
    elif release.phase == "completing":
        _complete(settings, progress, release)
    else:
        _stop(settings, release)
    return None


def stopping(release: Release, outcome: str, why: str, evidence: dict[str, Any], *, bad: bool) -> Release:
    """Return what the file says of a release that is to end: nobody is shown the candidate from then on."""
    decision = told(release, why, evidence)
    changes = {"phase": "stopping", "experiment": None, "outcome": outcome, "bad": bad, "decision": decision}
    return release.model_copy(update=changes)


def _undo(settings: Settings, release: Release) -> None:
    """Take back a start that was cut off: nobody has been shown anything yet."""
    withdraw(settings, CHALLENGER, release.version)
    release_path(settings.work).unlink(missing_ok=True)


def _stop(settings: Settings, release: Release) -> None:
    decision = _decision(release)
    if release.bad:
        mark_bad(settings, release.version, str(decision))
    withdraw(settings, CHALLENGER, release.version)
    _end(settings, release)


def _complete(settings: Settings, progress: Progress, release: Release) -> None:
    held = held_aliases(settings).get(CHAMPION)
    if held == release.champion:
        try:
            promote(
                settings,
                progress,
                version=release.version,
                force=release.forced is not None,
                why=release.forced,
                evidence={"release": _decision(release).evidence},
            )
        except PromotionError as error:
            refused = stopping(release, "refused", f"the gate refuses it now: {error}", {}, bad=False)
            _stop(settings, write_release(settings.work, refused))
            return
    elif held == release.version:
        Follower(settings).look()  # promoted already; whoever did it may have been killed before the replicas heard
    else:
        overtaken = stopping(release, "overtaken", overtaken_by(release, held), {}, bad=False)
        _stop(settings, write_release(settings.work, overtaken))
        return
    # The arms go before the alias does: nobody is dealt a model that is not there.
    release = write_release(settings.work, release.model_copy(update={"experiment": None}))
    withdraw(settings, CHALLENGER, release.version)
    _end(settings, release)


def overtaken_by(release: Release, champion: str | None) -> str:
    """Return in a sentence that somebody else changed the champion."""
    if champion == release.version:
        return f"version {champion} was made champion by somebody else while it was being released"
    now = "no version is champion" if champion is None else f"version {champion} is champion"
    return (
        f"{now}, but version {release.version} was compared with version {release.champion}: what was seen tells "
        "nothing any more. Start the release again to compare it with the new champion"
    )


def _end(settings: Settings, release: Release) -> None:
    _record(settings, release)
    keep(settings, release)
    release_path(settings.work).unlink(missing_ok=True)


def _record(settings: Settings, release: Release) -> None:
    """Add the newest decision to the registry's; its moment is its name there, so that it is there once."""
    record(registry_client(settings), settings.registry.model_name, _decision(release))


def _decision(release: Release) -> Decision:
    if release.decision is None:
        raise ValueError(f"the release of version {release.version} is {release.phase} without a decision")
    return Decision(**release.decision)


def now_utc() -> datetime:
    """Return the moment, by the wall clock."""
    return datetime.now(UTC)
