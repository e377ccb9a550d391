"""What a registered run says of where it came from: the names of its tags, and their values when it is registered.

`training.registry` writes them, `training.lineage` reads them. A run that lacks one was registered by older code, or
by somebody else: what it would say is not known, and nothing is made up.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import features.definitions
from configs import Settings
from configs.home import WorkFolder, read_json
from configs.moments import moment
from features.view_versions import view_versions

PACKAGE = "package"
"""Version of the package: a digest of its content."""
DATA = "data"
"""Fingerprint of the contract tables that models learn from."""
AS_OF = "as_of"
"""The cutoff, up to which the model knows anything: unix seconds."""
CODE = "code"
"""Commit of the code that registered it, `+changes` appended if the working tree differed."""
ORIGIN = "lineage.data"
"""JSON: dataset, sources by table, first and last order, counts, `until`."""
FEATURES = "lineage.features"
"""JSON: fingerprint of the offline features, digest of each Feast view, digest of the feature definitions."""
PARENT = "lineage.parent"
"""Registry version that was champion when this one was registered, which it is compared with; "" for none."""
STAGES = "lineage.stages"
"""JSON: stage → seconds, peak_mb, finished_at of the runs that made it."""
FEEDBACK = "lineage.feedback"
"""JSON: fingerprint of what was learned of shown products, null if nothing, and the weights it was blended in with."""


def origin_tags(settings: Settings, parent: str | None) -> dict[str, str]:
    """Return the tags that tell where the newest package came from, by name.

    Args:
        settings: of the work folder in which it was made. parent: registry version of the present champion, if any.
    """
    work = settings.work
    told = {ORIGIN: _data(work), FEATURES: _features(settings), STAGES: _stages(work), FEEDBACK: _feedback(settings)}
    tags = {name: json.dumps(content) for name, content in told.items() if content is not None}
    return tags | {PARENT: parent or ""}


def _data(work: WorkFolder) -> dict[str, Any] | None:
    record = read_json(work.data / "ingest.json")
    if record is None:
        return None
    told = ("dataset", "sources", "first_order_at", "last_order_at", "counts", "until", "shoppers_fingerprint")
    return {name: record.get(name) for name in told}


def _features(settings: Settings) -> dict[str, Any] | None:
    record = read_json(settings.work.features / "features.json")
    if record is None:
        return None
    files = sorted(Path(features.definitions.__file__).parent.glob("*.py"))
    return {
        "fingerprint": record["fingerprint"],
        "as_of": moment(record["as_of"]),
        "views": view_versions(settings),
        "definitions": _digest(b"".join(path.read_bytes() for path in files)),
    }


def _stages(work: WorkFolder) -> dict[str, Any] | None:
    """Return what the build recorded of its finished stages, in the order in which they ended."""
    records = [read_json(path) for path in work.stages.glob("*.json")]
    finished = sorted(
        (record for record in records if record is not None and record["fingerprint"] is not None),
        key=lambda record: str(record["finished_at"]),
    )
    told = ("seconds", "peak_mb", "finished_at")
    return {record["report"]["stage"]: {name: record[name] for name in told} for record in finished} or None


def _feedback(settings: Settings) -> dict[str, Any] | None:
    record = read_json(settings.work.training / "examples" / "examples.json")
    if record is None:
        return None
    return {"learned": record.get("feedback")} | settings.feedback.model_dump(mode="json")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
