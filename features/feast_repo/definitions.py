"""Feast entities, feature views and feature services, derived from our column lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field, FileSource
from feast.types import Bytes, Float64, Int64, String
from feast.value_type import ValueType

from features.offline import VIEWS
from features.records import Column
from features.services import PRODUCTS_SERVICE, SHOPPER_SERVICE, TRAINING_SERVICE

_TYPES = {"int": Int64, "float": Float64, "text": String, "bytes": Bytes}
_MEANING = {
    "shopper_profile": "What a shopper's completed orders say in numbers: frequency, value, price sensitivity",
    "shopper_purchases": "Decayed purchase rates of products, categories and brands, as of the serving cutoff",
    "product_stats": "What orders say of each product: popularity, trend, price level, promotion",
}


def definitions(folder: Path) -> list[Any]:
    """Return every Feast object, reading the offline tables in `folder`."""
    entities = {
        "shopper_id": Entity(
            name="shopper", join_keys=["shopper_id"], value_type=ValueType.STRING, description="Who buys"
        ),
        "product_id": Entity(
            name="product",
            join_keys=["product_id"],
            value_type=ValueType.STRING,
            description="What is bought",
        ),
    }
    views = {name: _view(folder, name, entities[entity], columns) for name, (entity, columns) in VIEWS.items()}
    services = [
        FeatureService(
            name=TRAINING_SERVICE,
            features=[views["shopper_profile"]],
            description="What a training case joins point-in-time; its `snapshot` leads to the purchase tables",
        ),
        FeatureService(
            name=SHOPPER_SERVICE,
            features=[views["shopper_profile"], views["shopper_purchases"]],
            description="The shopper's state, as serving reads it",
        ),
        FeatureService(
            name=PRODUCTS_SERVICE,
            features=[views["product_stats"]],
            description="The product matrix of a model package",
        ),
    ]
    return [*entities.values(), *views.values(), *services]


def _view(folder: Path, name: str, entity: Entity, columns: Sequence[Column]) -> FeatureView:
    source = FileSource(
        name=name,
        path=str(folder / f"{name}.parquet"),
        timestamp_field="event_timestamp",
        description=_MEANING[name],
    )
    return FeatureView(
        name=name,
        entities=[entity],
        # No expiry: how long a purchase matters is the decay's business, not the store's.
        ttl=timedelta(0),
        schema=[Field(name=column.name, dtype=_TYPES[column.kind], description=column.meaning) for column in columns],
        source=source,
        online=True,
        description=_MEANING[name],
    )
