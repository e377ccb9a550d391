"""Bounded sets that do not care in which order, or how often, their elements arrive.

A set keeps the newest elements by (time, mark). Of elements with the same key the newest version counts. Both choices
only ever move up, so what was cut once stays cut: cutting after every arrival or once at the end gives the same set.
"""

from __future__ import annotations

from base64 import b85encode
from collections.abc import Callable, Hashable, Iterable
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

import msgspec

MARK_LENGTH = 10

_encoder = msgspec.msgpack.Encoder()


class Dated(Protocol):
    """What has a place in time."""

    @property
    def at(self) -> float:
        """Unix seconds."""

    @property
    def mark(self) -> str:
        """Decides between equal times."""


Item = TypeVar("Item", bound=Dated)


def mark_of(message_id: str) -> str:
    """Return what stands for a message id in records: the id if it is short, else 64 bits of its digest as text."""
    if len(message_id) <= MARK_LENGTH:
        return message_id
    return b85encode(blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()).decode()


def later(one: Item, other: Item) -> Item:
    """Return the later of two versions; of equally late ones always the same, whichever comes first."""
    if (one.at, one.mark) != (other.at, other.mark):
        return one if (one.at, one.mark) > (other.at, other.mark) else other
    return one if one == other or _encoder.encode(one) > _encoder.encode(other) else other


def newest(
    items: Iterable[Item], keep: int, key: Callable[[Item], Hashable], order: Callable[[Item], Any]
) -> tuple[Item, ...]:
    """Return the `keep` newest of the items with distinct keys, oldest first.

    Args:
        items: in any order, several versions of one key among them.
        keep: at least 1.
        key: what versions of one thing share.
        order: sorts by time first; must tell things with distinct keys apart.
    """
    best: dict[Hashable, Item] = {}
    for item in items:
        name = key(item)
        known = best.get(name)
        best[name] = item if known is None else later(item, known)
    return tuple(sorted(best.values(), key=order)[-keep:])
