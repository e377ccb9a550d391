"""Dead letters as bytes, for brokers that carry them like events."""

from __future__ import annotations

import time

import msgspec

from events.brokers.base import DeadLetter, Source


class _Letter(msgspec.Struct, frozen=True, array_like=True):
    at: float
    source: Source
    endpoint: str
    field: str
    reason: str
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Letter)


def rejected_call(raw: bytes, endpoint: str, field: str, reason: str) -> bytes:
    """Return the letter of a call that the collector refused."""
    return _encoder.encode(_Letter(time.time(), "collector", endpoint, field, reason, raw))


def buried_event(raw: bytes, reason: str) -> bytes:
    """Return the letter of an event, as the broker carried it, that the consumer gave up on."""
    return _encoder.encode(_Letter(time.time(), "consumer", "", "", reason, raw))


def read_letter(raw: bytes, letter_id: str) -> DeadLetter:
    """Return the dead letter that `raw` is; what is none of ours was put aside by the broker, as the event it was."""
    try:
        letter = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return DeadLetter(letter_id, 0.0, "consumer", "the broker gave up on handing it out", "", raw)
    return DeadLetter(
        letter_id, letter.at, letter.source, letter.reason, letter.field, letter.body, endpoint=letter.endpoint
    )


def oldest(letters: list[DeadLetter], limit: int) -> list[DeadLetter]:
    """Return up to `limit` letters, oldest first."""
    return sorted(letters, key=lambda letter: letter.at)[:limit]
