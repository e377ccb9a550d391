"""What a stage's result depends on, as one hash: equal fingerprints mean that the stage need not run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

from configs import Settings
from pipelines.loading import load_function
from pipelines.sources import source_digest
from pipelines.stages import Stage


def fingerprints(stages: Sequence[Stage], settings: Settings) -> dict[str, str]:
    """Return each stage's fingerprint by name.

    Args:
        stages: in an order in which upstream stages come first.
        settings: the settings of this run.
    """
    known: dict[str, str] = {}
    for stage in stages:
        known[stage.name] = fingerprint(stage, settings, {name: known[name] for name in stage.upstream})
    return known


def fingerprint(stage: Stage, settings: Settings, upstream: Mapping[str, str]) -> str:
    """Return the sha256 over upstream fingerprints, settings, source text and outside inputs of one stage."""
    content = {
        "stage": stage.name,
        "upstream": dict(upstream),
        "settings": {key: _plain(attrgetter(key)(settings)) for key in stage.settings},
        "code": source_digest(stage.function),
        "inputs": load_function(stage.inputs)(settings) if stage.inputs else None,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value.isoformat() if isinstance(value, date) else value
