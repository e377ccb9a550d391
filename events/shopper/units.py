"""Under which name a person takes part in experiments: remembered with each id that the person was first shown under.

A shopper who was shown something before anybody knew who it was keeps that visit's name, and with it the arm, on every
device. What is remembered first stays; whoever was erased meanwhile is not remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from events.suppression import SUPPRESSED, digest

UNITS = "tillwise:unit:"

_REMEMBER = f"""
for place, key in ipairs(KEYS) do
  local first = 5 * place - 4
  local free = true
  for _, name in ipairs({{ARGV[first], ARGV[first + 1]}}) do
    local wished = redis.call('HGET', '{SUPPRESSED}', name)
    if wished and tonumber(wished) >= tonumber(ARGV[first + 2]) then free = false end
  end
  if free then redis.call('SET', key, ARGV[first + 3], 'NX', 'EX', ARGV[first + 4]) end
end
return true
"""


class FirstShown(NamedTuple):
    """That an id was shown something: its name in experiments, when (unix seconds), and for how many seconds it holds.

    `at` is by the events' clock, as wishes to be forgotten are.
    """

    an_id: str
    unit: str
    at: float
    ttl: int


def unit_key(an_id: str) -> str:
    """Return the Redis key of the name under which whoever has an id takes part in experiments."""
    return UNITS + an_id


def decode_unit(raw: bytes | None) -> str | None:
    """Return the value of a `unit_key`, None if there is none."""
    return None if raw is None else raw.decode("utf-8", "replace")


async def remember(redis: Any, shown: Sequence[FirstShown]) -> None:
    """Remember names of ids that have none yet, in one round trip; doing it again changes nothing.

    Raises:
        RedisError, OSError: Redis does not answer.
    """
    arguments: list[Any] = []
    for item in shown:
        arguments += [digest(item.an_id), digest(item.unit), repr(item.at), item.unit, item.ttl]
    await redis.eval(_REMEMBER, len(shown), *(unit_key(item.an_id) for item in shown), *arguments)
