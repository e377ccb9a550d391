"""Starting a release: what forbids it, the alias, the first step; and a step's experiment."""

from __future__ import annotations

from typing import Any

from configs import Progress, Settings
from configs.errors import ConfigError, NotBuiltError, PromotionError, TillwiseError
from configs.releasing import ReleaseStep
from monitoring.release.history import keep
from monitoring.release.settling import now_utc, settle, told
from training.aliases import CHALLENGER, CHAMPION
from training.decisions import decisions
from training.promotion import ROLLED_BACK, promote
from training.registry import champion, registry_client, version_of
from training.releasing import CANDIDATE, CONTROL, Release, read_release, release_path, write_release

LONG_AGO = "1970-01-01T00:00:00Z"
"""A step begins when its file lies there; the service's clock, by which experiments start, may be one of the past."""


def begin(settings: Settings, progress: Progress, version: str, *, force: bool, why: str | None) -> Release:
    """Put a version on the alias `challenger` and start its release; return what the file says then.

    Raises:
        ConfigError: another experiment runs, or what is shown could not be followed or recorded.
        NotBuiltError: nothing is champion, or no such version. PromotionError: a release runs, the version is champion
        already, or the gate refuses it.
    """
    _allowed(settings)
    running = read_release(release_path(settings.work))
    if running is not None and running.phase != "running":
        running = settle(settings, progress, running)  # one that was cut off
    if running is not None:
        raise PromotionError(
            f"Version {running.version} is being released (step {running.step}): wait for its end, or "
            "`tillwise release stop --why REASON` first."
        )
    release = write_release(settings.work, _planned(settings, version, why if force else None))
    try:
        promote(settings, progress, version=version, alias=CHALLENGER, force=force, why=why)
    except TillwiseError:
        release_path(settings.work).unlink(missing_ok=True)
        raise
    first = settings.release.steps[0]
    reason = f"its release begins with step {first.name}" + (f", forced: {why}" if force else "")
    release = at_step(release, first, reason, {"begins": True})
    settle(settings, progress, write_release(settings.work, release))
    keep(settings, release)
    return release


def at_step(release: Release, step: ReleaseStep, why: str, evidence: dict[str, Any]) -> Release:
    """Return what the file says of a release that comes to a step."""
    begun = release.model_copy(update={"step": step.name, "since": now_utc(), "phase": "running"})
    changes = {"experiment": experiment_of_step(begun, step), "decision": told(release, why, evidence)}
    return begun.model_copy(update=changes)


def experiment_of_step(release: Release, step: ReleaseStep) -> dict[str, Any]:
    """Return a step's experiment, as `serving/experiments/file.py` reads it.

    The salt is the same at every step, and the candidate's people lie at the end of [0, 1): so whoever is dealt the
    candidate once keeps it as the share grows.
    """
    control: dict[str, Any] = {"name": CONTROL, "share": 1 - step.share, "alias": CHAMPION}
    candidate: dict[str, Any] = {"name": CANDIDATE, "alias": CHALLENGER}
    candidate |= {"share": step.share} if step.share else {"shadow": True}
    return {
        "name": release.experiment_name,
        "start": LONG_AGO,
        "salt": f"release-{release.version}-{release.attempt}",
        "arms": [control, candidate],
    }


def _allowed(settings: Settings) -> None:
    serving = settings.serving
    if serving.experiments is not None:
        raise ConfigError(
            f"An experiment runs (serving.experiments names {serving.experiments}), and a release is one too: end it "
            "first, by taking the setting out and starting the service again."
        )
    if serving.package is not None:
        raise ConfigError(
            f"The service is pinned to {serving.package} (serving.package), so that it follows no release: take the "
            "setting out and start the service again."
        )
    if not serving.exposures.enabled:
        raise ConfigError("A release is judged by exposures: switch serving.exposures.enabled on.")


def _planned(settings: Settings, version: str, forced: str | None) -> Release:
    client = registry_client(settings)
    chosen, held = version_of(client, settings, version), champion(settings)
    if held is None:
        raise NotBuiltError(
            f"No model is champion that version {version} could be compared with: `tillwise promote` it."
        )
    if str(held.version) == version:
        raise PromotionError(f"Version {version} is champion already: everybody is answered by it.")
    rolled_back = chosen.tags.get(f"{ROLLED_BACK}{CHAMPION}")
    if rolled_back and forced is None:
        raise PromotionError(
            f"Version {version} is not released: it was stepped back from ({rolled_back}). Train a better one, or "
            "release it anyway with --force --why REASON."
        )
    now = now_utc()
    return Release(
        version=version,
        package=chosen.tags["package"],
        step=settings.release.steps[0].name,
        since=now,
        experiment=None,
        phase="starting",
        attempt=_attempts(settings, version) + 1,
        started=now,
        champion=str(held.version),
        champion_package=held.tags["package"],
        forced=forced,
    )


def _attempts(settings: Settings, version: str) -> int:
    """Return how many releases of a version have begun: the registry remembers, whatever became of reports."""
    made = decisions(registry_client(settings), settings.registry.model_name, CHALLENGER)
    begun = [
        decision
        for decision in made
        if decision.kind == "release" and decision.after == version and decision.evidence.get("begins")
    ]
    return len(begun)
