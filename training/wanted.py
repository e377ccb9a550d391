"""The wish for a retrain, `var/run/retrain_wanted.json`: written by the monitor, taken by the flow that retrains."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from configs.home import WorkFolder, read_json, write_json


@dataclass(frozen=True)
class Wanted:
    """That a retrain is wanted: when it was said (RFC 3339), why, and by whom."""

    at: str
    why: str
    by: str


def wanted_path(work: WorkFolder) -> Path:
    """Return where the wish lies."""
    return work.run / "retrain_wanted.json"


def want_retrain(work: WorkFolder, why: str, by: str) -> Wanted:
    """Write and return the wish; one that is there already stays."""
    standing = retrain_wanted(work)
    if standing is not None:
        return standing
    wanted = Wanted(datetime.now(UTC).isoformat(timespec="seconds"), why, by)
    write_json(wanted_path(work), asdict(wanted))
    return wanted


def retrain_wanted(work: WorkFolder) -> Wanted | None:
    """Return the wish; None if nobody wants a retrain."""
    content = read_json(wanted_path(work))
    return None if content is None else Wanted(**content)


def clear_wanted(work: WorkFolder, wanted: Wanted) -> None:
    """Take a wish away, once a retrain has finished; one that came meanwhile stays."""
    if retrain_wanted(work) == wanted:
        wanted_path(work).unlink(missing_ok=True)
