"""Reports on what was played against the service: figures, where they come from, and how to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from configs import Settings
from configs.home import write_json
from configs.provenance import provenance
from configs.section import Section
from features.history import ingest_record


def write_played(
    settings: Settings,
    path: Path,
    made_by: str,
    figures: Mapping[str, Any],
    *,
    under: Section,
    caption: Callable[[str], str],
) -> dict[str, Any]:
    """Write a report and return the file's content.

    Args:
        settings: whose data set was played. path: of the file. made_by: the command. figures: what was found.
        under: the settings that it was played under. caption: of the data set's title, what a reader has to know.
    """
    record = ingest_record(settings.work.data)
    report = provenance(made_by, record["fingerprint"]) | dict(figures)
    report |= {"settings": under.model_dump(), "caption": caption(record["title"])}
    write_json(path, report)
    return report
