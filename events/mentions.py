"""Whether stored bytes tell of a person: events by their ids, other text by the ids as whole words."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from events.brokers.letters import read_letter
from events.contract import decode, ids_of

SURE = 8
"""Characters from which on an id is not found in something else by chance."""


class Mentions:
    """Looks for any of a person's ids."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = set(ids)
        raw = {an_id: an_id.encode("utf-8", "surrogatepass") for an_id in self._ids}
        either = b"|".join(map(re.escape, raw.values()))
        # As a whole word: a short id stands in many others.
        self._words = re.compile(rb"(?<![0-9A-Za-z_-])(?:" + either + rb")(?![0-9A-Za-z_-])")
        # These mean the person wherever they stand, in damaged bytes too, where words have no ends.
        self._sure = [raw[an_id] for an_id in raw if len(an_id) >= SURE]

    def are_in(self, *values: bytes) -> bool:
        """Return whether any of the values, events or dead letters or other bytes, is about the person."""
        return any(self._is_in(read_letter(raw, "").body) for raw in values)

    def _is_in(self, value: bytes) -> bool:
        try:
            return not self._ids.isdisjoint(ids_of(decode(value)))
        except msgspec.DecodeError:
            return bool(self._words.search(value)) or (
                not _is_text(value) and any(sure in value for sure in self._sure)
            )


def _is_text(value: bytes) -> bool:
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False
