-- Enter a child as idle. Keys as in lib/idle.lua.
--
-- Not all senders wake a child of a set: RSMQ's only publish on the channel of the queue. So one idle child of
-- the set, its ear, listens to the channels of all queues. It is the first to be woken.
local EAR_MS = 75000

-- A hint for `empty` is out of date: nothing is due in that queue now. Returns '=' and a queue in which a message
-- waits for an idle child, else 'idle', 'ear' if the child is the ear, or 'unknown' if the set has no number.
local function stand_by(channel, digest, empty)
  local number = string.match(read_served(':' .. digest), '^(%d+) ')
  if not number then return 'unknown' end
  local hint = first_of_set(hints, number)
  if hint and empty and hint == number .. ' ' .. empty then
    redis.pcall('ZREM', hints, hint)
    hint = first_of_set(hints, number)
  end
  if hint then
    redis.pcall('ZREM', hints, hint)
    return '=' .. string.match(hint, '^%d+ (.*)$')
  end
  local ear, until_ms = string.match(read_served(':ear ' .. number), '^(.*) (%d+)$')
  local is_ear = not ear or ear == channel or tonumber(until_ms) < now_ms
  if is_ear then redis.pcall('HSET', served, ':ear ' .. number, channel .. ' ' .. whole(now_ms + EAR_MS)) end
  local place = is_ear and 0 or SET_BAND - 1 - now_ms
  redis.pcall('ZADD', idle, whole(number * SET_BAND + place), channel)
  return is_ear and 'ear' or 'idle'
end
