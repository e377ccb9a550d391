"""Incident records, `var/reports/incidents/ID.json` and `.md`: what was seen, what was done, by which rule, and when.

A record is written before anything is done, and completed afterwards: whoever dies in between leaves one in the state
"acting", which the next look completes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from configs import Settings
from configs.home import read_json, replace_file, write_json
from configs.provenance import provenance
from monitoring.watch.deciding import LABELS

State = Literal["acting", "rolled back", "needs you", "overtaken"]
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Incident:
    """One incident.

    Attributes:
        id: its name, a moment and a version. state: "acting" until what was decided is done; "needs you" where nothing
            could or should be done by itself; "overtaken" if somebody moved the alias meanwhile.
        version, package, tenure: which model, and which time of its being champion.
        rule: name of the rule that decided. why: in words. to: version that serves instead, if any.
        figures: how each figure was, as `Watched`, the breached ones' names in `breached`.
        answers: since the likely onset, and since the version took over, up to when it was seen.
        times: RFC 3339; `first_bad_answer` is by the service's clock; those of what did not happen are missing.
        reports: files that tell more, relative to the work folder. notes: further sentences.
    """

    id: str
    state: State
    version: str
    package: str
    tenure: str
    rule: str
    why: str
    breached: Sequence[str] = ()
    figures: Sequence[Mapping[str, Any]] = ()
    answers: Mapping[str, int] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)
    to: str | None = None
    reports: Sequence[str] = ()
    notes: Sequence[str] = ()


def now_text() -> str:
    """Return this moment, RFC 3339, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def incident_folder(settings: Settings) -> Path:
    """Return where incidents lie."""
    return settings.work.reports / "incidents"


def new_id(version: str) -> str:
    """Return the id of an incident that begins now."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-v{version}"


def write_incident(settings: Settings, incident: Incident) -> Incident:
    """Write an incident for machines and for people; return it."""
    folder = incident_folder(settings)
    data = read_json(settings.work.data / "ingest.json")
    head = provenance("tillwise monitor", "no data set ingested" if data is None else str(data["fingerprint"]))
    write_json(folder / f"{incident.id}.json", head | asdict(incident))
    with replace_file(folder / f"{incident.id}.md") as path:
        path.write_text(as_markdown(incident), encoding="utf-8")
    return incident


def read_incidents(settings: Settings) -> list[Incident]:
    """Return all incidents, the newest first."""
    names = {one.name for one in fields(Incident)}
    found = [read_json(path) for path in sorted(incident_folder(settings).glob("*.json"), reverse=True)]
    return [Incident(**{name: value for name, value in told.items() if name in names}) for told in found]


def open_incident(incidents: Sequence[Incident], tenure: str) -> Incident | None:
    """Return the newest incident of the present champion's tenure that waits for somebody; None without one."""
    waiting = (one for one in incidents if one.state in {"acting", "needs you"} and one.tenure == tenure)
    return next(waiting, None)


def as_markdown(incident: Incident) -> str:
    """Return an incident as a page for a person."""
    lines = [
        f"# Incident {incident.id}: {incident.state}",
        "",
        f"Version {incident.version} (package {incident.package}) was champion. Rule: `{incident.rule}`.",
        "",
        incident.why,
        "",
        _done(incident),
        "",
        "| figure | reference | live | limit | evidence | verdict |",
        "|---|---|---|---|---|---|",
        *(_row(figure) for figure in incident.figures),
        "",
        "| when | |",
        "|---|---|",
        *(f"| {name.replace('_', ' ')} | {at} |" for name, at in incident.times.items()),
        "",
        *(f"Answers {name.replace('_', ' ')}: {count:,}." for name, count in incident.answers.items()),
        *(f"- {note}" for note in incident.notes),
        *(f"- Report: [{name}](../../{name})" for name in incident.reports),
        "",
    ]
    return "\n".join(lines)


def _done(incident: Incident) -> str:
    if incident.state == "rolled back":
        return f"Done: version {incident.to} serves again; version {incident.version} is not promoted without --force."
    if incident.state == "overtaken":
        return "Nothing was done: somebody moved the alias meanwhile."
    if incident.state == "acting":
        return "Being done: the alias goes back to the last good version. If this stays, run `tillwise monitor`."
    return "Nothing was done by itself: it needs a person."


def _row(figure: Mapping[str, Any]) -> str:
    values = (figure[name] for name in ("reference", "live", "limit"))
    cells = ("–" if value is None else f"{value:.4f}" for value in values)
    return f"| {LABELS[figure['name']]} | {' | '.join(cells)} | {figure['evidence']:.0%} | {figure['verdict']} |"
