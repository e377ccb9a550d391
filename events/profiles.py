"""Live profiles in Redis, changed by a batch of events at a time: one read, one atomic compare-and-set.

Records are folds that depend only on which events came, so what is written twice, or by two consumers in any order,
comes out the same. The write of each record happens only if the record is still the one that was read; where another
consumer was faster, the events are applied again to what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import redis.asyncio as redis

from configs.errors import PartError
from configs.settings import EventSettings
from events.contract import Event, ids_of, told_at
from events.session.record import Limits, SessionRecord
from events.session.store import decode_record, encode_record, session_key
from events.shopper.identity import MOST_LINKS, Link, links_of
from events.shopper.orders import RecentOrders, is_order, orders_of
from events.shopper.store import LINKS, decode_orders, encode_orders, person_id, shopper_key
from events.suppression import ERASURES, SUPPRESSED, digest, is_suppressed

MOST_ATTEMPTS = 100
"""Lost races in a row after which the batch is given up; it is delivered again."""

_SWAP = f"""
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return false end
local lost, ttl = {{}}, ARGV[2]
for place = 2, #KEYS do
  local at = 3 * place - 2
  if (redis.call('GET', KEYS[place]) or '') == ARGV[at] then
    redis.call('SET', KEYS[place], ARGV[at + 1], 'EX', ARGV[at + 2])
  else
    lost[#lost + 1] = place - 2
  end
end
for _, link in ipairs(cmsgpack.unpack(ARGV[3])) do
  local key = '{LINKS}' .. link[1]
  redis.call('ZADD', key, 'GT', string.format('%.17g', link[3]), link[2])
  redis.call('ZREMRANGEBYRANK', key, 0, -{MOST_LINKS + 1})
  redis.call('EXPIRE', key, ttl)
end
return lost
"""
"""Sets each record if it holds what was read, and adds links; returns the places of the records it did not set.

Does nothing and returns nil if somebody was erased since the records were read. A link holds by the newest time it was
told, and an id keeps its newest links: that is commutative and idempotent as it stands.
"""


@dataclass(frozen=True, slots=True)
class _Target:
    """One record to change: its key, its time-to-live in seconds, the events, and old bytes → new bytes."""

    key: str
    ttl: int
    change: Callable[[bytes | None, Sequence[Event]], bytes]
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Work:
    """Records to change and links to add."""

    targets: list[_Target]
    links: list[Link]


class ProfileStore:
    """Writes session and shopper records for the consumer; any number of them may do so at once."""

    def __init__(self, client: redis.Redis, settings: EventSettings) -> None:
        # Any: redis-py declares answers as "value or awaitable".
        self._redis: Any = client
        self._swap: Any = client.register_script(_SWAP)
        self._session_ttl = int(settings.session_ttl_hours * 3600)
        self._shopper_ttl = int(settings.shopper_ttl_days * 86_400)
        self._orders = settings.max_shopper_orders
        self.limits = Limits(events=settings.max_session_events, products=settings.max_session_products)

    async def apply(self, events: Sequence[Event]) -> None:
        """Bring events, in any order, to the records that they concern; done when Redis holds the result.

        Raises:
            RedisError, OSError: Redis did not answer; some records may have been changed, which does no harm.
            PartError: others kept changing the same records.
        """
        # What we showed ourselves is nothing that the shopper did, nor is what the shop paid back.
        events = [event for event in events if event.kind not in {"exposure", "refund"}]
        work = _Work(self._targets(events), links_of(events))
        for _ in range(MOST_ATTEMPTS):
            if not work.targets and not work.links:
                return
            work = await self._attempt(work)
        raise PartError(f"Others changed the same profiles {MOST_ATTEMPTS} times while they were to be changed here.")

    def _targets(self, events: Sequence[Event]) -> list[_Target]:
        found: dict[str, _Target] = {}
        for event in events:
            key = session_key(event.session_id)
            if (target := found.get(key)) is None:
                target = found[key] = _Target(key, self._session_ttl, self._session)
            target.events.append(event)
            person = person_id(event) if is_order(event) else None
            if person is not None:
                key = shopper_key(person)
                found.setdefault(key, _Target(key, self._shopper_ttl, self._shopper)).events.append(event)
        return list(found.values())

    async def _attempt(self, work: _Work) -> _Work:
        """Read, change and write; return what is still to be done because others were faster."""
        epoch, *before = await self._redis.mget([ERASURES, *(target.key for target in work.targets)])
        old = dict(zip((target.key for target in work.targets), before, strict=True))
        kept = work if epoch is None else await self._without_suppressed(work)
        changed: list[_Target] = []
        keys, arguments = [ERASURES], [epoch or b"", self._shopper_ttl, _packed(kept.links)]
        for target in kept.targets:
            new = target.change(old[target.key], target.events)
            if new != old[target.key]:
                changed.append(target)
                keys.append(target.key)
                arguments += (old[target.key] or b"", new, target.ttl)
        if not changed and not kept.links:
            return _Work([], [])
        lost = await self._swap(keys=keys, args=arguments)
        return kept if lost is None else _Work([changed[place] for place in lost], [])

    async def _without_suppressed(self, work: _Work) -> _Work:
        """Leave out what concerns people who were erased after it happened."""
        ids = {an_id for target in work.targets for event in target.events for an_id in ids_of(event)} - {None}
        digests = [digest(str(an_id)) for an_id in ids]
        found = await self._redis.hmget(SUPPRESSED, digests)
        until = {name: float(at) for name, at in zip(digests, found, strict=True) if at is not None}
        if not until:
            return work
        targets = []
        for target in work.targets:
            left = [event for event in target.events if not is_suppressed(ids_of(event), told_at(event), until)]
            if left:
                targets.append(replace(target, events=left))
        # Links are redone as a whole or not at all, and every event is in some target.
        links = links_of(event for target in targets for event in target.events) if work.links else []
        return _Work(targets, links)

    def _session(self, old: bytes | None, events: Sequence[Event]) -> bytes:
        try:
            record = decode_record(old)
        except msgspec.DecodeError:
            record = SessionRecord()
        return encode_record(record.after(events, self.limits))

    def _shopper(self, old: bytes | None, events: Sequence[Event]) -> bytes:
        try:
            record = decode_orders(old)
        except msgspec.DecodeError:
            record = RecentOrders()
        return encode_orders(record.after(orders_of(events, self.limits.products), self._orders))


def _packed(links: Sequence[Link]) -> bytes:
    """Return links as MessagePack, each once with its newest time."""
    told: dict[tuple[str, str], float] = {}
    for link in links:
        told[link.owner, link.other] = max(link.at, told.get((link.owner, link.other), link.at))
    return msgspec.msgpack.encode([(owner, other, at) for (owner, other), at in told.items()])
