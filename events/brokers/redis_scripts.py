"""What has to happen in one step inside Redis.

Entries are numbered, `NUMBER-0`, instead of carrying the time: so how many wait is a difference of two ids, where
Redis 6 would have to count them one by one.
"""

from __future__ import annotations

_COMMON = """
if redis.replicate_commands then redis.replicate_commands() end

local function parts(id)
  local number, more = string.match(id, '(%d+)-(%d+)')
  return tonumber(number), tonumber(more)
end

local function before(a, b)
  local a1, a2 = parts(a)
  local b1, b2 = parts(b)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end

local function field(answer, name)
  for i = 1, #answer, 2 do
    if answer[i] == name then return answer[i + 1] end
  end
end

local function newest(stream)
  if redis.call('EXISTS', stream) == 0 then return '0-0' end
  return field(redis.call('XINFO', 'STREAM', stream), 'last-generated-id')
end

-- Removes the entries that every group is done with; none as long as one of the named groups has not begun.
local function trim(stream, names)
  local wanted, floor = {}, nil
  for _, name in ipairs(names) do wanted[name] = true end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local name = field(group, 'name')
    local pending = redis.call('XPENDING', stream, name)
    local number, more = parts(field(group, 'last-delivered-id'))
    local first = pending[2] or string.format('%.0f-%.0f', number, more + 1)
    if not floor or before(first, floor) then floor = first end
    wanted[name] = nil
  end
  if floor and not next(wanted) then redis.call('XTRIM', stream, 'MINID', floor) end
end
"""

PUBLISH = (
    _COMMON
    + """
-- KEYS: streams. ARGV: most entries of a stream, two groups, then for each entry the number of its stream and itself.
local limit, groups, coming = tonumber(ARGV[1]), {ARGV[2], ARGV[3]}, {}
for i = 4, #ARGV, 2 do
  local key = tonumber(ARGV[i])
  coming[key] = (coming[key] or 0) + 1
end
for key, count in pairs(coming) do
  local stream = KEYS[key]
  if redis.call('XLEN', stream) + count > limit then
    if redis.call('EXISTS', stream) == 1 then trim(stream, groups) end
    local waiting = redis.call('XLEN', stream)
    if waiting + count > limit then return waiting end
  end
end
local last = {}
for i = 4, #ARGV, 2 do
  local key = tonumber(ARGV[i])
  local number = (last[key] or parts(newest(KEYS[key]))) + 1
  last[key] = number
  redis.call('XADD', KEYS[key], string.format('%.0f-0', number), 'e', ARGV[i + 1])
end
return -1
"""
)
"""Appends entries, all or none; returns −1, or how many entries a stream holds that takes no more."""

TRIM = _COMMON + "trim(KEYS[1], ARGV)"
"""Removes what every group is done with from one stream; the arguments are the groups that must have begun."""

LAG = (
    _COMMON
    + """
local waiting, pending = 0, 0
for _, stream in ipairs(KEYS) do
  if redis.call('EXISTS', stream) == 1 then
    local length, delivered = redis.call('XLEN', stream), nil
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      if field(group, 'name') == ARGV[1] then
        delivered = parts(field(group, 'last-delivered-id'))
        pending = pending + field(group, 'pending')
      end
    end
    waiting = waiting + (delivered and math.min(length, parts(newest(stream)) - delivered) or length)
  end
end
return {waiting, pending}
"""
)
"""Returns how many entries of all streams a group was not handed yet, and how many it has not acknowledged."""
