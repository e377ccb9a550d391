"""Which features a model was made from: a digest of each feature view's definition, out of Feast's registry."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from configs import Settings
from configs.errors import NotBuiltError
from features.store import open_store

if TYPE_CHECKING:
    from feast import FeatureView

DIGITS = 12


def view_versions(settings: Settings) -> dict[str, str]:
    """Return name → digest of every feature view of the work folder; none if no features have been built.

    Equal digests mean equal definitions: entities, columns with their types and meaning, expiry. Where the tables lie
    and when they were filled does not count.
    """
    try:
        store = open_store(settings)
    except NotBuiltError:
        return {}
    return {view.name: _digest(_definition(view)) for view in sorted(store.list_feature_views(), key=_name)}


def _name(view: FeatureView) -> str:
    return str(view.name)


def _definition(view: FeatureView) -> dict[str, Any]:
    columns = [(field.name, str(field.dtype), field.description) for field in view.schema]
    expiry = None if view.ttl is None else view.ttl.total_seconds()
    return {
        "name": view.name,
        "entities": sorted(view.entities),
        "columns": sorted(columns),
        "expiry": expiry,
        "moment": view.batch_source.timestamp_field,
        "online": view.online,
    }


def _digest(definition: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:DIGITS]
