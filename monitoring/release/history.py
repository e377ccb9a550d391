"""What is kept of a release: `var/reports/releases/VERSION.json`, every look with its figures, and how it ended.

For a release that was stopped it is the incident record: what was seen, by which rule, what was done. A version that is
released once more keeps what there was before under `earlier`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs import Settings
from configs.home import read_json, write_json
from configs.provenance import provenance
from training.releasing import CANDIDATE, CONTROL, Release

MADE_BY = "tillwise release"


def history_path(settings: Settings, version: str) -> Path:
    """Return where the record of a version's release lies."""
    return settings.work.reports / "releases" / f"{version}.json"


def read_history(settings: Settings, version: str) -> dict[str, Any] | None:
    """Return the record of a version's newest release; None if it was never released here."""
    found: dict[str, Any] | None = read_json(history_path(settings, version))
    return found


def newest_history(settings: Settings, version: str | None = None) -> dict[str, Any] | None:
    """Return the record of a version's release, of the one that was started last if None; None without one."""
    if version is not None:
        return read_history(settings, version)
    found = [read_json(path) for path in (settings.work.reports / "releases").glob("*.json")]
    return max(found, key=lambda record: str(record["started"]), default=None)


def keep(settings: Settings, release: Release, look: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write down where a release stands, with one look more if one is given; return the whole record.

    Said again, it changes nothing but adds the look.
    """
    before = read_history(settings, release.version)
    earlier: list[dict[str, Any]] = []
    looks: list[Mapping[str, Any]] = []
    steps: dict[str, Any] = {}
    if before is not None and before["started"] == release.started.isoformat():
        earlier, looks, steps = before["earlier"], before["looks"], before["steps"]
    elif before is not None:
        earlier = [*before["earlier"], {key: value for key, value in before.items() if key != "earlier"}]
    if release.experiment is not None:
        steps |= {release.step: _step(release)}
    record = provenance(MADE_BY, _data(settings)) | {
        "version": release.version,
        "package": release.package,
        "champion": release.champion,
        "champion_package": release.champion_package,
        "attempt": release.attempt,
        "forced": release.forced,
        "started": release.started.isoformat(),
        "outcome": release.outcome or release.phase,
        "marked_bad": release.bad,
        "step": release.step,
        "decision": release.decision,
        "steps": steps,
        "looks": [*looks, *([] if look is None else [look])],
        "earlier": earlier,
    }
    write_json(history_path(settings, release.version), record)
    return record


def shares_of(settings: Settings, experiment: str) -> dict[str, float] | None:
    """Return how people were to split in a release's experiment, the control first; None if no release had it."""
    for path in sorted((settings.work.reports / "releases").glob("*.json")):
        record = read_json(path)
        for one in [record, *record["earlier"]]:
            for step in one["steps"].values():
                if step["experiment"] == experiment:
                    return {CONTROL: 1 - step["share"], CANDIDATE: step["share"]} if step["share"] else {CONTROL: 1.0}
    return None


def _step(release: Release) -> dict[str, Any]:
    arms = {arm["name"]: arm for arm in (release.experiment or {})["arms"]}
    share = arms[CANDIDATE].get("share", 0.0)
    return {"experiment": release.experiment_name, "share": share, "since": release.since.isoformat()}


def _data(settings: Settings) -> str:
    record = read_json(settings.work.data / "ingest.json")
    return "no data set ingested" if record is None else str(record["fingerprint"])
