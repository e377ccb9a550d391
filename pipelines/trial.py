"""Stage `trial`: a package is tried in a real service before anybody is served by it.

Held-out baskets are played as sessions through a consumer and a service of its own, as `tillwise replay` plays them
through the one that is up. What came of it lies in `var/reports/trial.json` and with the version in the registry; the
gate judges it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs import Progress, Settings, StageReport
from configs.errors import PartError
from configs.home import read_json, write_json
from configs.provenance import provenance
from features.history import ingest_record
from pipelines.parts.own import changed_section, consumer, own_home, redis_with_features, service
from pipelines.replay.run import play_replay
from pipelines.replay.score import percentiles
from training.manifest import MANIFEST
from training.trials import remember_trial, trial_path, trial_version

ARM = "model"


def trial(settings: Settings, progress: Progress, *, version: str | None = None) -> StageReport:
    """Play `registry.gate.trial_sessions` held-out sessions through a service that serves the package alone.

    A service that does not come up with the package is a finding, not an error: the report says so.

    Args:
        settings: of a work folder with data and features. progress: told the steps.
        version: registry version whose package is tried; the newest when None.

    Raises:
        NotBuiltError: nothing is registered, no such version, or no data or features have been built.
        DataError: the test window holds no basket to play.
        PartError: Redis or the consumer did not come up, which says nothing of the package.
    """
    chosen, folder = trial_version(settings, version)
    package = str(read_json(folder / MANIFEST)["version"])
    report = provenance("tillwise trial", ingest_record(settings.work.data)["fingerprint"])
    report |= {"package": package, "version": str(chosen.version)} | _played(settings, folder, progress)
    write_json(trial_path(settings.work), report)
    remember_trial(settings, chosen, report)
    return StageReport(
        "trial",
        read={"sessions": report["sessions"]},
        wrote={"reports": 1},
        notes=[_note(report)],
        metrics={name: report[name] for name in ("package", "errors", "fallback_share", "latency_ms")},
    )


def _played(settings: Settings, folder: Path, progress: Progress) -> dict[str, Any]:
    """Return what came of playing: figures, or the trouble that the service had in coming up."""
    progress.update("writing features to a Redis of its own", 0.05)
    with own_home(settings, "trial") as home, redis_with_features(_alone(home)) as own:
        progress.update("starting a service with the package", 0.4)
        with consumer(own, "trial-consumer"):
            try:
                with service(own, folder, "trial-service") as up:

                    def played(done: int, planned: int) -> None:
                        progress.update(f"playing {planned:,} sessions", 0.5 + 0.5 * done / planned)

                    return _figures(play_replay(up.settings, played, (ARM,)), up.start_seconds)
            except PartError as error:
                return _nothing(str(error))


def _alone(settings: Settings) -> Settings:
    """Return settings under which nothing but the package answers, one session at a time.

    How many sessions at a time a machine can take is the load tests' question, and what else it does now nobody's.
    """
    return settings.model_copy(
        update={
            "serving": changed_section(settings.serving, experiments=None),
            "replay": changed_section(settings.replay, sessions=settings.registry.gate.trial_sessions, concurrency=1),
        }
    )


def _figures(found: dict[str, Any], start_seconds: float) -> dict[str, Any]:
    sessions = found["arms"][ARM]["sessions"]
    return {
        "trouble": None,
        "sessions": sessions,
        "requests": found["requests"],
        "errors": found["errors"],
        "fallback_share": round(found["fallbacks"] / sessions, 4),
        "latency_ms": found["latency_ms"],
        "hit_rate": found["arms"][ARM]["hit_rate"],
        "hit_rate_ci95": found["arms"][ARM]["ci95"],
        "sessions_with_complete_cart": found["sessions_with_complete_cart"],
        "answered_by": found["model_versions"],
        "start_seconds": round(start_seconds, 2),
    }


def _nothing(trouble: str) -> dict[str, Any]:
    counts: dict[str, Any] = dict.fromkeys(("sessions", "requests", "errors"), 0)
    return {"trouble": trouble} | counts | {"fallback_share": 0.0, "latency_ms": percentiles([]), "answered_by": []}


def _note(report: dict[str, Any]) -> str:
    if report["trouble"] is not None:
        return f"package {report['package']} could not be tried: {report['trouble']}"
    return (
        f"package {report['package']} answered {report['sessions']:,} sessions with {report['errors']:,} errors, "
        f"{report['fallback_share']:.1%} fallbacks, p99 {report['latency_ms']['p99']} ms"
    )
