"""Erasing the materialized features of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from events.erasure import Part
from features.online import ShopperReader


class FeatureEraser:
    """The rows that Feast keeps in Redis; its own store knows no way to erase one."""

    def __init__(self, redis: Any) -> None:
        self._redis, self._shoppers = redis, ShopperReader()

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`."""
        rows = int(await self._redis.delete(*map(self._shoppers.key, ids)))
        return Part("redis: online features", {"rows": rows})
