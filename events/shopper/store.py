"""Where orders, links and experiment units of ids lie in Redis, and reading a person in one round trip.

Orders of an id are one MessagePack value. Links of an id are a sorted set, each link scored by the newest time it was
told: adding one with "only if greater" and cutting to the newest is commutative and idempotent in Redis itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import Any

import msgspec
from redis.exceptions import NoScriptError

from events.contract import Event
from events.newest import newest
from events.redis_link import Commands, exchange
from events.shopper.identity import MOST_IDS, MOST_LINKS, MOST_USERS, Person, root_of
from events.shopper.orders import CompletedOrder, RecentOrders, by_time, id_of
from events.shopper.units import UNITS, decode_unit

SHOPPERS = "tillwise:shopper:"
LINKS = "tillwise:links:"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(RecentOrders)

_READ = f"""
local waiting, seen, found, place = {{ARGV[1]}}, {{[ARGV[1]] = true}}, {{}}, 1
while waiting[place] and place <= {MOST_IDS} do
  local id = waiting[place]
  local links = redis.call('ZREVRANGE', '{LINKS}' .. id, 0, {MOST_LINKS - 1})
  local users = 0
  for _, other in ipairs(links) do
    if string.sub(other, 1, 1) == 'u' then users = users + 1 else users = -1000 end
  end
  local shared = users > {MOST_USERS}
  if place == 1 or not shared then
    found[#found + 1] = {{id, redis.call('GET', '{SHOPPERS}' .. id), links, redis.call('GET', '{UNITS}' .. id)}}
  end
  if not shared then
    for _, other in ipairs(links) do
      local name = string.sub(other, 2)
      if not seen[name] then seen[name] = true; waiting[#waiting + 1] = name end
    end
  end
  place = place + 1
end
return found
"""

_READ_DIGEST = sha1(_READ.encode(), usedforsecurity=False).hexdigest()
"""Redis' name for the script."""


def shopper_key(shopper_id: str) -> str:
    """Return the Redis key of an id's recent orders."""
    return SHOPPERS + shopper_id


def links_key(shopper_id: str) -> str:
    """Return the Redis key of an id's links."""
    return LINKS + shopper_id


def person_id(event: Event) -> str | None:
    """Return the id under which an event's orders are kept: the user's, else the anonymous one, else none."""
    return event.shopper_id if event.shopper_id is not None else event.anonymous_id


def encode_orders(record: RecentOrders) -> bytes:
    """Return the stored form of a record."""
    return _encoder.encode(record)


def decode_orders(raw: bytes | None) -> RecentOrders:
    """Return a stored record; the empty one when there is none.

    Raises:
        msgspec.DecodeError: the value is no record.
    """
    return RecentOrders() if raw is None else _decoder.decode(raw)


def read_person(pipe: Any, shopper_id: str) -> None:
    """Queue the reading of the person with an id on commands or a pipeline; `decode_person` takes the reply."""
    pipe.evalsha(_READ_DIGEST, 0, shopper_id)


async def ask(redis: Any, queue: Callable[[Any], object], *, raising: bool = True) -> list[Any]:
    """Return the replies to what `queue` asks for, `read_person` among it, in one round trip.

    A Redis that has just started does not know our script: it is told, and asked again.

    Args:
        redis: a client. queue: given the `Commands`.
        raising: whether a reply that is an error is raised, else it stands among the replies.
    """
    replies = await _replies(redis, queue)
    if any(isinstance(reply, NoScriptError) for reply in replies):
        await redis.script_load(_READ)
        replies = await _replies(redis, queue)
    if raising:
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
    return replies


async def _replies(redis: Any, queue: Callable[[Any], object]) -> list[Any]:
    commands = Commands()
    queue(commands)
    return await exchange(redis, commands) if commands.packed else []


def decode_person(reply: Sequence[Any]) -> Person:
    """Return the person that `read_person` found; an unknown id is a person without orders.

    Raises:
        msgspec.DecodeError: a value is no record.
    """
    if len(reply) == 1 and not reply[0][2]:  # the usual case: one id without links
        name = reply[0][0].decode()
        return Person(name, (name,), decode_orders(reply[0][1]).orders, decode_unit(reply[0][3]))
    links: dict[str, list[str]] = {}
    orders: list[CompletedOrder] = []
    units: dict[str, str | None] = {}
    for owner, raw, others, unit in reply:
        links[owner.decode()] = [other.decode() for other in others]
        orders += decode_orders(raw).orders
        if unit is not None:
            units[owner.decode()] = decode_unit(unit)
    together = newest(orders, max(1, len(orders)), id_of, by_time)
    root = root_of(links)
    return Person(root, tuple(sorted(links)), together, units.get(root, units[min(units)] if units else None))
