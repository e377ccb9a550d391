"""The look at inputs: takes people who came since the last one, compares, keeps the report, counts looks in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from configs import Settings
from configs.home import read_json, write_json
from configs.moments import moment
from configs.provenance import provenance
from monitoring.watch.drift import Drift, compare_inputs
from monitoring.watch.inputs import keep_inputs, kept_inputs, read_inputs
from monitoring.watch.reading import Place
from monitoring.watch.tenure import Standing


@dataclass(frozen=True)
class Course:
    """What is known of a champion's inputs so far.

    Attributes:
        after: the newest answer that a look has taken. in_a_row: looks that found drift, up to the last one.
        asked_at: when a retrain was asked for, unix seconds; None if never.
    """

    after: Place
    in_a_row: int = 0
    asked_at: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"after": [self.after.at, self.after.request_id], "in_a_row": self.in_a_row, "asked_at": self.asked_at}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Course:
        """Return what `as_dict` told."""
        return cls(Place(*told["after"]), told["in_a_row"], told["asked_at"])


def drift_folder(settings: Settings) -> Path:
    """Return where reports of drift lie, and the inputs that champions are compared with."""
    return settings.work.reports / "drift"


def look_at_inputs(settings: Settings, standing: Standing, course: Course, until: float) -> Course:
    """Return the course after a look; the same one while too few people have come since the last.

    Raises:
        ConfigError, DataError: the record cannot be read.
    """
    people = settings.monitoring.watch.drift.people
    path = drift_folder(settings) / f"reference-{standing.name}.parquet"
    reference = kept_inputs(path)
    if reference is None:
        reference = read_inputs(settings, standing.package, people, after=course.after, until=until, newest=False)
        if reference is None:
            return course
        keep_inputs(path, reference)
    after = max(course.after, reference.last)
    live = read_inputs(settings, standing.package, people, after=after, until=until, newest=True)
    if live is None:
        return replace(course, after=after)
    report = drift_folder(settings) / f"{standing.name}-{int(live.last.at)}.html"
    found = compare_inputs(live, reference, settings.monitoring.watch.drift, report)
    in_a_row = course.in_a_row + 1 if found.drifted else 0
    period = {"from": moment(live.first_at), "to": moment(live.last.at)}
    before = {"from": moment(reference.first_at), "to": moment(reference.last.at)}
    _write(settings, standing, found, {"live": period, "reference": before, "in_a_row": in_a_row}, report)
    _tidy(settings)
    return replace(course, after=live.last, in_a_row=in_a_row)


def _write(settings: Settings, standing: Standing, found: Drift, more: Mapping[str, Any], report: Path) -> None:
    data, limits = read_json(settings.work.data / "ingest.json"), settings.monitoring.watch.drift
    document = provenance("tillwise monitor", "no data set ingested" if data is None else str(data["fingerprint"]))
    document |= {"version": standing.tenure.version, "package": standing.package, "people": limits.people, **more}
    document |= {"limit": limits.share, "report": str(report.relative_to(settings.work.root)), **asdict(found)}
    write_json(settings.work.reports / "drift.json", document)


def newest_report(settings: Settings, tenure: str) -> Path | None:
    """Return Evidently's newest report on the inputs of a tenure; None if there is none."""
    found = sorted(drift_folder(settings).glob(f"{tenure}-*.html"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def _tidy(settings: Settings) -> None:
    """Remove the oldest reports beyond those that are kept."""
    found = sorted(drift_folder(settings).glob("*.html"), key=lambda path: path.stat().st_mtime)
    for path in found[: -settings.monitoring.watch.drift.keep]:
        path.unlink(missing_ok=True)
