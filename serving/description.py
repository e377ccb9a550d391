"""What types alone do not tell of requests, for the API's description: limits that settings set, fields read raw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import msgspec
from litestar.openapi.spec import OpenAPI, Schema

from configs.settings import ServingSettings
from events.collector import CallType
from events.segment import MAX_CALLS, Batch, Call, Properties
from serving.schema import RecommendationRequest
from training.recommender import ARMS


@dataclass
class ToldSchema(Schema):
    """A schema that somebody else worked out, as plain data."""

    told: dict[str, Any] = field(default_factory=dict)

    def to_schema(self) -> dict[str, Any]:
        """Return it."""
        return self.told


def call_schema(kind: str | None = None) -> dict[str, Any]:
    """Return what a tracking call of a kind may hold: what the collector reads; None: of the kind that it tells."""
    call = _schema_of(Call)
    if kind is None:
        call["properties"]["type"], kind = {"enum": list(get_args(CallType))}, "type"
    call["required"] = {"type": ["type"], "track": ["event"], "alias": ["previousId", "userId"]}.get(kind, [])
    call["properties"]["timestamp"] = call["properties"]["sentAt"] = {"type": "string", "format": "date-time"}
    call["properties"]["properties"] = call["properties"]["params"] = _schema_of(Properties)
    call["properties"]["traits"] = {"type": "object"}
    call["anyOf"] = [{"required": ["userId"]}, {"required": ["anonymousId"]}]
    return call


def batch_schema() -> dict[str, Any]:
    """Return what a batch of tracking calls may hold."""
    batch = _schema_of(Batch)  # without its calls, which are decoded one by one
    batch["properties"]["batch"] = {"type": "array", "items": call_schema(), "minItems": 1, "maxItems": MAX_CALLS}
    return batch


def tell_limits(api: OpenAPI, limits: ServingSettings) -> None:
    """Write into the description all that a request for recommendations is checked for."""
    api.components.schemas["RecommendationRequest"] = ToldSchema(told=_request_schema(limits))


def _request_schema(limits: ServingSettings) -> dict[str, Any]:
    told = _schema_of(RecommendationRequest) | {"additionalProperties": False}
    asked = told["properties"]
    asked["arm"] |= {"enum": list(ARMS)}
    asked["k"] |= {"maximum": limits.max_k}
    asked["at"] |= {"format": "date-time"}
    next(part for part in asked["cart"]["anyOf"] if part["type"] == "array")["maxItems"] = limits.max_cart
    told["anyOf"] = [{"required": [name]} for name in ("session_id", "shopper_id", "cart")]
    return told


def _schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a struct's schema with everything it names put in its place: these types hold none of their own kind."""
    fields = msgspec.structs.fields(kind)
    told = {field.encode_name: field.type for field in fields if field.type is not msgspec.Raw}
    schemas, named = msgspec.json.schema_components(told.values(), ref_template="#/named/{name}")
    return {
        "type": "object",
        "properties": dict(zip(told, (_inlined(schema, named) for schema in schemas), strict=True)),
        "required": [field.encode_name for field in fields if field.required],
    }


def _inlined(part: Any, named: Mapping[str, Any]) -> Any:
    if isinstance(part, Mapping):
        if "$ref" in part:
            return _inlined(named[str(part["$ref"]).rpartition("/")[2]], named)
        return {key: _inlined(value, named) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_inlined(one, named) for one in part]
    return part
