"""Does what was decided: goes back and keeps the incident, or only raises one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from configs import Progress, Settings
from configs.errors import NotBuiltError, PackageError, PromotionError
from configs.moments import moment
from monitoring.watch.deciding import Choice
from monitoring.watch.drifting import newest_report
from monitoring.watch.incidents import (
    Incident,
    incident_folder,
    new_id,
    now_text,
    open_incident,
    read_incidents,
    write_incident,
)
from monitoring.watch.reading import Place, Served, count_answers
from monitoring.watch.replicas import swapped_at
from monitoring.watch.tenure import Standing, standing_champion
from monitoring.watch.watching import Watched
from training.aliases import CHAMPION
from training.decisions import decisions
from training.following import Follower
from training.promotion import rollback
from training.registry import champion, registry_client


@dataclass(frozen=True)
class Sight:
    """What a look saw: the figures, from where on answers of the champion count, and when the look began."""

    figures: Sequence[Watched]
    start: Place
    at: str


def new_incident(settings: Settings, standing: Standing, choice: Choice, sight: Sight) -> Incident:
    """Return the incident of a choice, before anything is done; nothing is written."""
    onset = [one.onset for one in sight.figures if one.name in choice.figures and one.onset is not None]
    times = {"seen": sight.at, "decided": now_text()}
    answers = {"since_the_champion_took_over": _answers(settings, standing, sight.start)}
    if onset:
        first = min(onset)
        times = {"first_bad_answer": moment(first)} | times
        answers["since_the_first_bad_one"] = _answers(settings, standing, Place(first))
    return Incident(
        new_id(standing.tenure.version),
        "acting" if choice.act == "rollback" else "needs you",
        standing.tenure.version,
        standing.package,
        standing.name,
        choice.rule,
        choice.why,
        choice.figures,
        [asdict(one) for one in sight.figures],
        answers,
        times,
        reports=["reports/monitor.json"],
    )


def _with_inputs(settings: Settings, incident: Incident) -> Incident:
    """Return the incident with a copy of the newest report on the inputs of its version, which later ones replace."""
    report = newest_report(settings, incident.tenure)
    if report is None:
        return incident
    kept = incident_folder(settings) / f"{incident.id}{report.suffix}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(report, kept)
    return replace(incident, reports=[*incident.reports, str(kept.relative_to(settings.work.root))])


def raise_incident(settings: Settings, standing: Standing, choice: Choice, sight: Sight) -> Incident:
    """Write an incident that needs a person; one of the same rule and tenure that is open already stays."""
    standing_one = open_incident(read_incidents(settings), standing.name)
    if standing_one is not None and standing_one.rule == choice.rule:
        return standing_one
    return write_incident(settings, _with_inputs(settings, new_incident(settings, standing, choice, sight)))


def go_back(settings: Settings, progress: Progress, incident: Incident) -> Incident:
    """Let the last good version serve again, wait until replicas have swapped, and return the completed incident.

    Whatever of it has been done already by a look that was killed is not done again.
    """
    held = champion(settings)
    if held is None or str(held.version) != incident.version:
        Follower(settings).look()  # the alias moved, but perhaps nobody was told
        return _completed(settings, incident)
    incident = write_incident(settings, _with_inputs(settings, incident))
    try:
        why = f"incident {incident.id}: {incident.why}"[:1_000]
        rollback(settings, progress, why=why, evidence=_evidence(incident), expected=incident.version)
    except PromotionError:
        return _completed(settings, incident)
    except (NotBuiltError, PackageError) as error:
        return write_incident(settings, replace(incident, state="needs you", notes=[*incident.notes, str(error)]))
    return _completed(settings, incident)


def unfinished(settings: Settings) -> Incident | None:
    """Return the incident whose rollback was decided and perhaps not done; None without one."""
    return next((one for one in read_incidents(settings) if one.state == "acting"), None)


def _completed(settings: Settings, incident: Incident) -> Incident:
    history = decisions(registry_client(settings), settings.registry.model_name, CHAMPION)
    ours = [made for made in history if made.evidence.get("incident") == incident.id]
    if not ours:
        return write_incident(settings, replace(incident, state="overtaken"))
    moved = replace(incident, state="rolled back", to=ours[-1].after)
    moved = replace(moved, times={**incident.times, "pointer_moved": ours[-1].at})
    write_incident(settings, moved)  # waiting for replicas may be interrupted; what is done is told before
    standing = standing_champion(settings)
    if standing.tenure.version != ours[-1].after:
        return moved
    swapped = swapped_at(settings, standing.package, settings.monitoring.watch.replicas_seconds)
    if swapped is None:
        note = f"No service at {settings.service_url} told that it swapped; see `tillwise status`."
        return write_incident(settings, replace(moved, notes=[*moved.notes, note]))
    took = (datetime.fromisoformat(swapped) - datetime.fromisoformat(incident.times["decided"])).total_seconds()
    note = f"The last replica had swapped {took:.1f} s after the decision."
    times = {**moved.times, "last_replica_swapped": swapped}
    return write_incident(settings, replace(moved, times=times, notes=[*moved.notes, note]))


def _evidence(incident: Incident) -> Mapping[str, Any]:
    figures = {
        figure["name"]: {name: figure[name] for name in ("reference", "live", "limit")}
        for figure in incident.figures
        if figure["name"] in incident.breached
    }
    return {"incident": incident.id, "rule": incident.rule, "figures": figures}


def _answers(settings: Settings, standing: Standing, start: Place) -> int:
    return count_answers(settings, Served(standing.package, start, float("inf")))
