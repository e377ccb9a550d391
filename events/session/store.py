"""Where session records lie in Redis: one MessagePack value a session, gone after the time-to-live."""

from __future__ import annotations

import msgspec

from events.session.record import SessionRecord
from events.session.state import SessionState, state_of

SESSIONS = "tillwise:session:"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SessionRecord)


def session_key(session_id: str) -> str:
    """Return the Redis key of a session's record."""
    return SESSIONS + session_id


def encode_record(record: SessionRecord) -> bytes:
    """Return the stored form of a record: equal records have equal bytes."""
    return _encoder.encode(record)


def decode_record(raw: bytes | None) -> SessionRecord:
    """Return a stored record; the empty one when there is none.

    Raises:
        msgspec.DecodeError: the value is no record.
    """
    return SessionRecord() if raw is None else _decoder.decode(raw)


def decode_session(raw: bytes | None, session_id: str) -> SessionState:
    """Return what a stored record says; the empty state when there is none.

    Raises:
        msgspec.DecodeError: the value is no record.
    """
    return state_of(decode_record(raw), session_id)
