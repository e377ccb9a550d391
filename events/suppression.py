"""People who asked to be forgotten: which ids, as digests, and since when.

The list says of nobody who they were; it tells of a given id whether it is on it. The consumer drops events that are
older than the wish, so that what is still under way does not bring a profile back; training reads it to leave the
person's older orders out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from configs.home import read_json, write_json

SUPPRESSED = "tillwise:suppressed"
"""Redis hash: digest of an id → unix seconds up to which whatever is known of it is to be forgotten."""

ERASURES = "tillwise:erasures"
"""Redis counter of erasures: profiles are written only if none happened since they were read."""


def digest(an_id: str) -> str:
    """Return the digest under which an id is on the list, 32 hex digits."""
    return sha256(an_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def order_digest(order_id: str) -> str:
    """Return the digest under which an order is on the list whose refunds are to be forgotten; no id of a person's."""
    return digest(f"order\0{order_id}")


def suppressed_until(file: Path) -> dict[str, float]:
    """Return the whole list from its copy in the work folder, digest → unix seconds; empty if there is none.

    For batch readers, which hash the ids they hold and need no Redis.
    """
    return {str(name): float(at) for name, at in read_json(file).items()} if file.exists() else {}


async def copy_suppressed(redis: Any, file: Path) -> int:
    """Copy the list from Redis to the work folder, beside what the copy holds already; return its length."""
    found = {name.decode(): float(at) for name, at in (await redis.hgetall(SUPPRESSED)).items()}
    merged = suppressed_until(file)
    for name, at in found.items():
        merged[name] = max(at, merged.get(name, at))
    write_json(file, dict(sorted(merged.items())))
    return len(merged)


def is_suppressed(ids: Iterable[str | None], at: float, until: Mapping[str, float]) -> bool:
    """Return whether something that happened to any of these ids at `at` is to be forgotten.

    Args:
        ids: ids, None where there is none. at: unix seconds. until: digest → unix seconds, as `suppressed_until`.
    """
    return is_listed((digest(an_id) for an_id in ids if an_id is not None), at, until)


def is_listed(digests: Iterable[str], at: float, until: Mapping[str, float]) -> bool:
    """Return the same of digests, of ids or of orders."""
    return any(at <= until.get(name, 0.0) for name in digests)
