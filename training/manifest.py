"""The manifest of a model package: what is known of one without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.home import read_json

MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what `training.package.save_package` wrote about the package in a folder; None if none lies there."""
    found: dict[str, Any] | None = read_json(folder / MANIFEST)
    return found
