"""The wish for a retraining, which the monitor leaves in `var/run/retrain_wanted.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs import Settings
from configs.home import read_json


def read_wanted(settings: Settings) -> dict[str, Any] | None:
    """Return the wish ("at", "why", "by"); None when there is none."""
    wish: dict[str, Any] | None = read_json(_path(settings))
    return wish


def forget_wanted(settings: Settings, wish: dict[str, Any] | None) -> None:
    """Remove a wish that has been fulfilled; one that came meanwhile stays."""
    if wish is not None and read_wanted(settings) == wish:
        _path(settings).unlink(missing_ok=True)


def _path(settings: Settings) -> Path:
    return settings.work.run / "retrain_wanted.json"
