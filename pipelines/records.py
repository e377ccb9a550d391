"""What is remembered of a stage's newest run: `var/stages/NAME.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from configs import StageReport
from configs.home import WorkFolder, read_json, write_json


@dataclass(frozen=True)
class StageRecord:
    """The newest run of one stage.

    Attributes:
        fingerprint: of what the result was made from; None while a run is under way or after it failed.
        report: what the stage said.
        seconds: wall time. peak_mb: most memory its processes held at a time, in MiB.
        finished_at: RFC 3339, UTC.
    """

    fingerprint: str | None
    report: StageReport
    seconds: float
    peak_mb: float
    finished_at: str


def read_record(work: WorkFolder, stage: str) -> StageRecord | None:
    """Return the record of a stage; None when it never finished."""
    content = read_json(_path(work, stage))
    if content is None:
        return None
    return StageRecord(**(content | {"report": StageReport(**content["report"])}))


def write_record(work: WorkFolder, record: StageRecord) -> None:
    """Remember a finished run."""
    write_json(_path(work, record.report.stage), asdict(record))


def void_record(work: WorkFolder, stage: str) -> None:
    """Say that what lies in the work folder may no longer be what the record claims; its timings stay."""
    record = read_record(work, stage)
    if record is not None and record.fingerprint is not None:
        write_record(work, replace(record, fingerprint=None))


def _path(work: WorkFolder, stage: str) -> Path:
    return work.stages / f"{stage}.json"
