"""What Redis keeps of people, and how it is erased there: profiles, the event stream, dead letters, the log on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import ResponseError

from configs.settings import EventSettings
from events.brokers.redis_scripts import TRIM
from events.erasure import Part
from events.mentions import Mentions
from events.session.store import SESSIONS, decode_session, session_key
from events.shopper.identity import ANONYMOUS, PREVIOUS, USER
from events.shopper.store import LINKS, links_key, shopper_key
from events.shopper.units import UNITS, decode_unit
from events.suppression import copy_suppressed

PAGE = 500
MOST_REWRITTEN = 50_000
"""A stream longer than this is not rewritten at once: Redis would answer nobody meanwhile."""

_REWRITE = """
if redis.replicate_commands then redis.replicate_commands() end
local function named(flat)
  local facts = {}
  for place = 1, #flat, 2 do facts[flat[place]] = flat[place + 1] end
  return facts
end
local drop = {}
for _, id in ipairs(ARGV) do drop[id] = true end
local stream, fresh = KEYS[1], KEYS[2]
redis.call('DEL', fresh)
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
  if not drop[entry[1]] then redis.call('XADD', fresh, entry[1], unpack(entry[2])) end
end
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local group = named(flat)
  redis.call('XGROUP', 'CREATE', fresh, group['name'], group['last-delivered-id'], 'MKSTREAM')
  if group['pending'] > 0 then
    for _, taken in ipairs(redis.call('XPENDING', stream, group['name'], '-', '+', group['pending'])) do
      if not drop[taken[1]] then
        redis.call('XCLAIM', fresh, group['name'], taken[2], 0, taken[1], 'IDLE', taken[3], 'RETRYCOUNT', taken[4],
                   'FORCE', 'JUSTID')
      end
    end
  end
end
local last = named(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
if redis.call('EXISTS', fresh) == 1 then
  redis.call('XSETID', fresh, last)
  redis.call('RENAME', fresh, stream)
else
  redis.call('DEL', stream)
end
return true
"""
"""Replaces a stream by a copy without some entries: same ids, groups, and deliveries under way.

XDEL alone would only mark entries as deleted; their bytes would stay until all their neighbours are deleted too.
"""


class ProfileEraser:
    """Sessions, recent orders, links, and the names in experiments.

    Sessions are found by looking through all of them: nobody has to keep an index for a rare wish.
    """

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`."""
        sessions = {session_key(an_id) for an_id in ids} | {key async for key in self._sessions_of(set(ids))}
        removed = {
            "sessions": int(await self._redis.delete(*sessions)),
            "recent orders": int(await self._redis.delete(*map(shopper_key, ids))),
            "links": int(await self._redis.delete(*map(links_key, ids))),
        }
        ends = [what + an_id for an_id in ids for what in (USER, ANONYMOUS, PREVIOUS)]
        async for keys in _pages(self._redis.scan_iter(match=f"{LINKS}*", count=PAGE)):
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.zrem(key, *ends)
                removed["links"] += sum(await pipe.execute())
        theirs = {*ids, *(key.removeprefix(SESSIONS) for key in sessions)}
        removed["names in experiments"] = sum([await self._redis.delete(key) async for key in self._units_of(theirs)])
        return Part("redis: profiles", removed)

    async def _units_of(self, ids: set[str]) -> AsyncIterator[bytes]:
        async for keys in _pages(self._redis.scan_iter(match=f"{UNITS}*", count=PAGE)):
            for key, unit in zip(keys, await self._redis.mget(keys), strict=True):
                if not ids.isdisjoint({key.decode("utf-8", "surrogatepass").removeprefix(UNITS), decode_unit(unit)}):
                    yield key

    async def _sessions_of(self, ids: set[str]) -> AsyncIterator[str]:
        looked_for = [an_id.encode("utf-8", "surrogatepass") for an_id in ids]
        async for keys in _pages(self._redis.scan_iter(match=f"{SESSIONS}*", count=PAGE)):
            for key, raw in zip(keys, await self._redis.mget(keys), strict=True):
                if raw is not None and any(an_id in raw for an_id in looked_for) and _concerns(raw, ids):
                    yield key.decode("utf-8", "surrogatepass")


class StreamEraser:
    """The event stream and the dead letters, whatever number of Redis streams they are."""

    def __init__(self, redis: Any, settings: EventSettings) -> None:
        self._redis, self._stream = redis, settings.stream

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`."""
        removed, left = {"events": 0, "dead letters": 0}, None
        mentions = Mentions(ids)
        async for key in self._redis.scan_iter(match=f"{self._stream}*", count=PAGE, _type="stream"):
            found = [token async for token, fields in self._entries(key) if mentions.are_in(*fields.values())]
            if found:
                removed["dead letters" if key.endswith((b":dead", b":rejected")) else "events"] += len(found)
                left = await self._drop(key, found) or left
        return Part("redis: event stream", removed, left)

    async def _entries(self, key: bytes) -> AsyncIterator[tuple[bytes, dict[bytes, bytes]]]:
        after = "-"
        while page := await self._redis.xrange(key, after, "+", count=PAGE):
            for token, fields in page:
                yield token, fields
            after = f"({page[-1][0].decode()}"

    async def _drop(self, key: bytes, tokens: list[bytes]) -> str | None:
        """Erase entries; return what is left of them, None if nothing."""
        if await self._redis.xlen(key) > MOST_REWRITTEN:
            await self._redis.eval(TRIM, 1, key)
        if await self._redis.xlen(key) > MOST_REWRITTEN:
            await self._redis.xdel(key, *tokens)
            return (
                f"{key.decode()}: {len(tokens)} entries are deleted and can no longer be read; Redis frees their bytes "
                f"when the stream is trimmed past them, since more than {MOST_REWRITTEN:,} events wait."
            )
        await self._redis.eval(_REWRITE, 2, key, key + b":rewritten", *tokens)
        return None


class TrainingEraser:
    """Future training sets: whoever builds one reads the list in the work folder."""

    def __init__(self, redis: Any, file: Path) -> None:
        self._redis, self._file = redis, file

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`."""
        await copy_suppressed(self._redis, self._file)
        left = (
            "Tables, features and models that are built already still rest on the person's orders; ingest, which the "
            "next `tillwise run` begins with, leaves the person out of all of them."
        )
        return Part("work folder: suppression list", {"ids listed": len(ids)}, left)


class LogEraser:
    """The append-only file, which remembers commands until it is rewritten; comes last."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    async def erase(self, ids: Sequence[str], at: float) -> Part:
        """See `Eraser.erase`."""
        try:
            await self._redis.bgrewriteaof()
        except ResponseError as error:
            left = f"Redis did not begin to rewrite its append-only file ({error}): run BGREWRITEAOF once it can."
            return Part("redis: append-only file", {}, left)
        return Part("redis: append-only file", {}, "Redis is rewriting it; the old file is gone when that is done.")


async def _pages(keys: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    page: list[bytes] = []
    async for key in keys:
        page.append(key)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _concerns(raw: bytes, ids: set[str]) -> bool:
    try:
        state = decode_session(raw, "")
    except msgspec.DecodeError:
        return True  # nobody can read it, and the bytes are there
    return not ids.isdisjoint({state.shopper_id, *state.anonymous_ids})
