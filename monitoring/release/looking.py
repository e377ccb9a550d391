"""One look at the running release: wait, go on, complete it or stop it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from configs import Progress, Settings
from configs.errors import ConfigError
from configs.releasing import ReleaseStep
from monitoring.release.checks import Judged
from monitoring.release.figures import live_figures, shadow_lists
from monitoring.release.history import keep
from monitoring.release.live import judge_live
from monitoring.release.settling import now_utc, overtaken_by, settle, stopping, told
from monitoring.release.shadow import judge_shadow
from monitoring.release.starting import at_step
from training.aliases import CHALLENGER, CHAMPION
from training.releasing import Release, read_release, release_path, write_release
from training.withdrawal import held_aliases

Done = Literal["none", "wait", "advance", "complete", "stop", "settle"]


@dataclass(frozen=True)
class Looked:
    """What a look did.

    Attributes:
        did: none: no release runs; settle: it finished what a killed process had begun. why: in a sentence.
        release: that was looked at. judged: the figures, if it came to that.
    """

    did: Done
    why: str
    release: Release | None = None
    judged: Judged | None = None


def look(settings: Settings, progress: Progress, now: datetime | None = None) -> Looked:
    """Look at the running release once, and do what follows. It may be done as often as one likes.

    Args:
        settings: work folder, limits. progress: told the steps. now: the moment, by the wall clock.

    Raises:
        ConfigError: the release's file is broken, or its step is not in the settings any more.
        DataError: the record cannot be read.
    """
    release = read_release(release_path(settings.work))
    if release is None:
        return Looked("none", "no release runs")
    progress.update("opening the registry", 0.1)
    settled = settle(settings, progress, release)
    if settled is None or release.phase != "running":
        return Looked("settle", _finished(release), release)
    foreign = _foreign(settings, release)
    if foreign is not None:
        return _stop(settings, progress, release, "overtaken", foreign)
    step = settings.release.step(release.step)
    if step is None:
        raise ConfigError(
            f"Version {release.version} is at step {release.step!r}, which release.steps does not name any more: put "
            "it back, or `tillwise release stop --why REASON`."
        )
    progress.update("reading what was shown", 0.4)
    now = now or now_utc()
    seconds = (now - release.since).total_seconds()
    judged = _judged(settings, release, step, seconds)
    keep(settings, release, _as_look(release, judged, now))
    progress.update(judged.action, 0.9)
    return _follow(settings, progress, release, step, judged, seconds)


def _judged(settings: Settings, release: Release, step: ReleaseStep, seconds: float) -> Judged:
    if step.share == 0:
        return judge_shadow(shadow_lists(settings, release, seconds), step, settings.release, settings.monitoring)
    seen = live_figures(settings, release, seconds)
    return judge_live(seen, step, release.package, settings.release, settings.monitoring)


def _follow(
    settings: Settings, progress: Progress, release: Release, step: ReleaseStep, judged: Judged, seconds: float
) -> Looked:
    if judged.action == "stop":
        return _stop(settings, progress, release, "stopped", judged.why, judged, bad=True)
    if judged.action == "advance":
        return _advance(settings, progress, release, step, judged)
    if seconds >= settings.release.most_hours * 3600:
        why = f"step {step.name} is undecided after {settings.release.most_hours:g} hours: {judged.why}"
        return _stop(settings, progress, release, "undecided", why, judged)
    return Looked("wait", judged.why, release, judged)


def _advance(settings: Settings, progress: Progress, release: Release, step: ReleaseStep, judged: Judged) -> Looked:
    following, evidence = settings.release.after(step), evidence_of(judged)
    if following is None:
        why = f"step {step.name} passed, and is the last: {judged.why}"
        changes = {"phase": "completing", "outcome": "completed", "decision": told(release, why, evidence)}
        begun = write_release(settings.work, release.model_copy(update=changes))
        settle(settings, progress, begun)
        done = held_aliases(settings).get(CHAMPION) == release.version
        return Looked("complete" if done else "stop", why, release, judged)
    why = f"step {step.name} passed, on to {following.name}: {judged.why}"
    begun = write_release(settings.work, at_step(release, following, why, evidence))
    settle(settings, progress, begun)
    keep(settings, begun)
    return Looked("advance", why, begun, judged)


def _stop(
    settings: Settings,
    progress: Progress,
    release: Release,
    outcome: str,
    why: str,
    judged: Judged | None = None,
    *,
    bad: bool = False,
) -> Looked:
    ending = stopping(release, outcome, why, {} if judged is None else evidence_of(judged), bad=bad)
    settle(settings, progress, write_release(settings.work, ending))
    return Looked("stop", why, release, judged)


def stop(settings: Settings, progress: Progress, why: str) -> Looked:
    """Stop the running release because somebody says so; the version is marked like one that was stepped back from.

    Raises:
        ConfigError: the release's file is broken.
    """
    release = read_release(release_path(settings.work))
    if release is None:
        return Looked("none", "no release runs")
    if release.phase != "running":
        settle(settings, progress, release)
        return Looked("settle", _finished(release), release)
    return _stop(settings, progress, release, "stopped by hand", why, bad=True)


def evidence_of(judged: Judged) -> dict[str, Any]:
    """Return the figures that a decision rests on, as short as a registry's tag should be."""
    document = judged.document()
    checks = {
        check["name"]: {key: check[key] for key in ("found", "low", "high", "limit", "verdict")}
        for check in document["checks"]
    }
    return {"people": judged.people, "answers": judged.answers, "checks": checks}


def _as_look(release: Release, judged: Judged, now: datetime) -> dict[str, Any]:
    return {"at": now.isoformat(timespec="seconds"), "step": release.step} | judged.document()


def _foreign(settings: Settings, release: Release) -> str | None:
    """Return what somebody else did to the aliases meanwhile; None if nobody did."""
    held = held_aliases(settings)
    if held.get(CHAMPION) != release.champion:
        return overtaken_by(release, held.get(CHAMPION))
    if held.get(CHALLENGER) != release.version:
        now = held.get(CHALLENGER)
        other = "nothing" if now is None else f"version {now}"
        return f"the alias challenger means {other} now, so that version {release.version} is shown to nobody"
    return None


def _finished(release: Release) -> str:
    how = {"starting": "its start, which is undone", "completing": "its completion", "stopping": "its end"}
    return f"a look or command was cut off in {how[release.phase]}; that is done now"
