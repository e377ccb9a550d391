"""How often the test window was looked at: the more often, the less its figures are worth.

One JSON line an evaluation in `reports/evaluations.jsonl`; nothing ever removes a line but deleting the work folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "evaluations.jsonl"


def log_evaluation(reports: Path, entry: Mapping[str, Any]) -> int:
    """Append an entry and return how many evaluations of its `model_version` and `window` there are, this included.

    Args:
        reports: folder of the log, made if missing. entry: JSON-serialisable, with `model_version` and `window`.
    """
    reports.mkdir(parents=True, exist_ok=True)
    with (reports / FILE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")
    looked = ("model_version", "window")
    return sum(all(past.get(key) == entry[key] for key in looked) for past in logged(reports))


def logged(reports: Path) -> list[dict[str, Any]]:
    """Return all entries, oldest first; a line that an interrupted write left incomplete is passed over."""
    found = []
    for line in (reports / FILE).read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found
