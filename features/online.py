"""A shopper's state from Redis as Feast wrote it, without the Feast SDK (5 s and 190 MB to import) in the way.

The request path gathers this read with the session's in one pipeline: `HMGET key fields`, then `decode`. The layout
is Feast's (`feast.infra.online_stores.redis`, entity key version 3); a test holds it against Feast's own reader.
"""

from __future__ import annotations

import importlib.util
import struct
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import mmh3

from configs.errors import PartError
from features.records import PROFILE, PURCHASES, STATE, Column, from_record
from features.services import PROJECT
from features.shopper import ShopperState

_STRING = 2  # feast.types.ValueType.STRING
_FIELD_OF_KIND = {"int": "int64_val", "float": "double_val", "text": "string_val", "bytes": "bytes_val"}


class ShopperReader:
    """Knows under which key and fields a shopper's features lie, and how to decode them.

    Attributes:
        fields: hash fields to read, in the order that `decode` expects their values.
    """

    def __init__(self) -> None:
        self._value = _value_message()
        views = {"shopper_profile": PROFILE, "shopper_purchases": PURCHASES}
        self.fields: list[bytes] = [_field(view, column) for view, columns in views.items() for column in columns]

    def key(self, shopper_id: str) -> bytes:
        """Return the Redis key of a shopper's hash."""
        return entity_key("shopper_id", shopper_id) + PROJECT.encode()

    def decode(self, values: Sequence[bytes | None]) -> ShopperState:
        """Return the state of the values of `fields`; the empty state when the shopper is not known.

        Raises:
            PartError: the values are not what Feast writes.
        """
        if values[0] is None:
            return ShopperState.empty()
        try:
            record = {column.name: self._decode(column, raw) for column, raw in zip(STATE, values, strict=True)}
            return from_record(record)
        except Exception as error:  # protobuf raises its own DecodeError, numpy ValueError: all mean garbage
            raise PartError(
                f"The online features of a shopper cannot be read ({error}): run `tillwise materialize`."
            ) from None

    def _decode(self, column: Column, raw: bytes | None) -> Any:
        if raw is None:
            raise ValueError(f"{column.name} is missing")
        return getattr(self._value.FromString(raw), _FIELD_OF_KIND[column.kind])


def entity_key(name: str, value: str) -> bytes:
    """Return Feast's serialized entity key (version 3) of one string-valued entity."""
    join_key, text = name.encode(), value.encode()
    parts = [struct.pack("<II", 1, _STRING), struct.pack("<I", len(join_key)), join_key]
    return b"".join([*parts, struct.pack("<II", _STRING, len(text)), text])


def _field(view: str, column: Column) -> bytes:
    return struct.pack("<I", mmh3.hash(f"{view}:{column.name}", signed=False))


@cache
def _value_message() -> Any:
    """Return Feast's protobuf message `Value`, loading its generated module alone."""
    name = "feast.protos.feast.types.Value_pb2"
    if name in sys.modules:
        return sys.modules[name].Value
    package = importlib.util.find_spec("feast")
    if package is None or package.origin is None:
        raise PartError("The package feast is not installed: run `make run` (or pip install -r requirements.lock).")
    path = Path(package.origin).parent / "protos" / "feast" / "types" / "Value_pb2.py"
    spec = importlib.util.spec_from_file_location("tillwise_feast_value", path)
    if spec is None or spec.loader is None:
        raise PartError(f"{path} cannot be loaded: reinstall feast as requirements.lock pins it.")
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Value  # the generated module builds its messages at run time
