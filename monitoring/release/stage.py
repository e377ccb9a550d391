"""What may be asked of a release: start one, look at it once, stop it. Each runs as a stage, one at a time."""

from __future__ import annotations

from configs import Progress, Settings, StageReport
from configs.errors import ConfigError
from monitoring.release.looking import Looked, look
from monitoring.release.looking import stop as stop_now
from monitoring.release.starting import begin

NAME = "release"


def start(
    settings: Settings, progress: Progress, *, version: str, force: bool = False, why: str | None = None
) -> StageReport:
    """Start the release of a registered version; it goes on by `step`.

    Args:
        settings: registry, work folder, steps. progress: told the steps.
        version: in the registry. force: overrules the gate, now and at the end; needs `why`, which is recorded.

    Raises:
        ConfigError, NotBuiltError, PromotionError: see `starting.begin`.
    """
    begun = begin(settings, progress, version, force=force, why=why)
    shown = begun.experiment_name
    note = f"the release of version {version} begins with step {begun.step} (experiment {shown})"
    return StageReport(
        "release_start",
        read={"versions": 1},
        wrote={"aliases": 1},
        notes=[note],
        metrics={"action": "start", "version": version, "package": begun.package, "step": begun.step},
    )


def step(settings: Settings, progress: Progress) -> StageReport:
    """Look once at the running release: advance it, wait, or stop it; nothing without one.

    Raises:
        ConfigError, DataError: see `looking.look`.
    """
    return _report(NAME, look(settings, progress))


def stop(settings: Settings, progress: Progress, *, why: str) -> StageReport:
    """Stop the running release; the champion answers everybody again.

    Raises:
        ConfigError: none runs, or its file is broken.
    """
    done = stop_now(settings, progress, why)
    if done.did == "none":
        raise ConfigError("No release runs, so there is none to stop.")
    return _report("release_stop", done)


def _report(name: str, done: Looked) -> StageReport:
    release, judged = done.release, done.judged
    answers = {} if judged is None else judged.answers
    metrics = {
        "action": done.did,
        "why": done.why,
        "version": None if release is None else release.version,
        "package": None if release is None else release.package,
        "step": None if release is None else release.step,
        "people": None if judged is None else judged.people,
    }
    note = done.why if release is None else f"version {release.version}: {done.why}"
    return StageReport(name, read=answers, notes=[note], metrics=metrics)
