"""Where session records lie in Redis: one MessagePack value a session, gone after the time-to-live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import WatchError

from configs.settings import EventSettings
from events.session.state import Limits, SessionRecord, SessionState

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SessionRecord)
_READ_LIMITS = Limits(events=1_000_000, products=1_000_000)
"""Records are bounded when written; reading one needs no further bound."""


def session_key(session_id: str) -> str:
    """Return the Redis key of a session's record."""
    return f"tillwise:session:{session_id}"


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
    return decode_record(raw).state(session_id, _READ_LIMITS)


class SessionStore:
    """Reads and writes records for the consumer."""

    def __init__(self, redis: Redis, settings: EventSettings) -> None:
        self._redis = redis
        self._ttl = int(settings.session_ttl_hours * 3600)
        self.limits = Limits(events=settings.max_session_events, products=settings.max_session_products)

    async def read(self, sessions: Sequence[str]) -> dict[str, SessionRecord]:
        """Return the records of sessions in one round trip; an unreadable one counts as empty."""
        raw = await self._redis.mget([session_key(session) for session in sessions])
        return {session: _or_empty(value) for session, value in zip(sessions, raw, strict=True)}

    async def write(self, records: Mapping[str, SessionRecord], *, lease: str, holder: str) -> bool:
        """Write records in one transaction, all of them or none, if the lease is still held.

        Args:
            records: new record of each session.
            lease, holder: the key that must hold this value until the write is done; a consumer that was suspended
                and replaced meanwhile would overwrite what its successor wrote.

        Returns:
            Whether they were written.
        """
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(lease)
            if await pipe.get(lease) != holder.encode():
                return False
            pipe.multi()  # type: ignore[no-untyped-call] # redis leaves this one untyped
            for session, record in records.items():
                pipe.set(session_key(session), _encoder.encode(record), ex=self._ttl)
            try:
                await pipe.execute()
            except WatchError:
                return False
        return True


def _or_empty(raw: bytes | None) -> SessionRecord:
    try:
        return decode_record(raw)
    except msgspec.DecodeError:
        return SessionRecord()
