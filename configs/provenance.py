"""Where a machine-readable result comes from: the head of every file in `var/reports/`."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def provenance(made_by: str, data: str) -> dict[str, Any]:
    """Return the fields that open every report.

    Args:
        made_by: the command that makes the report.
        data: fingerprint of the data set.
    """
    return {
        "made_by": made_by,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": code_revision(),
        "data": data,
    }


def code_revision() -> str:
    """Return the commit this code runs from, `+changes` appended if the working tree differs; else "unknown"."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown"
    return f"{commit}+changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
