"""Erasing a person: one list of places, one receipt.

Whoever keeps something of a person brings an `Eraser`. The wish is written down first (`events.suppression`), so that
nothing which is still under way brings a profile back, then each place is emptied, then the receipt is kept. Receipts
and the suppression list name people by digest only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from configs.moments import moment
from events.suppression import ERASURES, SUPPRESSED, digest

RECEIPTS = "tillwise:erasure-receipts"
"""Redis list of receipts as JSON, the newest first."""


class Part(msgspec.Struct, frozen=True):
    """What was erased in one place.

    Attributes:
        where: the place. removed: things erased there, by kind. left: what could not be erased, and until when; None
            if nothing is left.
    """

    where: str
    removed: dict[str, int]
    left: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """That a person was erased.

    Attributes:
        at: when, RFC 3339. persons: digests of the ids that were erased, ascending. parts: place by place.
    """

    at: str
    persons: list[str]
    parts: list[Part]


class Eraser(Protocol):
    """One place that keeps something of people."""

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """Erase what is kept under or about these ids, and return what that was; erasing twice is harmless.

        Args:
            ids: of one person: sessions, anonymous ids, users. at: unix seconds of the wish, by the events' clock.

        Raises:
            Exception: the place cannot be reached; the caller reports it and the wish is to be made again.
        """


async def forget(redis: Any, erasers: Sequence[Eraser], ids: Sequence[str], at: float) -> Receipt:
    """Erase a person everywhere, and return the receipt, which is kept.

    Args:
        redis: asynchronous client. erasers: every place. ids: of the person.
        at: unix seconds by the events' clock; what is received until then is dropped from now on.
    """
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hset(SUPPRESSED, mapping={digest(an_id): repr(at) for an_id in ids})
        pipe.incr(ERASURES)
        await pipe.execute()
    parts = [await eraser.erase(ids, at) for eraser in erasers]
    receipt = Receipt(moment(at), sorted(map(digest, ids)), parts)
    await redis.lpush(RECEIPTS, msgspec.json.encode(receipt))
    return receipt
