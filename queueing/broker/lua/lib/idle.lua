-- Idle children, and how a message wakes one of them. Workers with the same queues are a set with a number.
--
-- The including script sets `served`, `idle` and `hints` to these keys:
--   served (hash)  queue -> numbers of the sets that take it; ':' and the digest of a set's queues -> its
--     number and the ms at which one of its children was last seen; ':ear ' and the number -> see stand_by.lua
--   idle (zset)    channel of an idle child -> its place in the band of its set
--   hints (zset)   number and queue -> the band and the ms since which no child was idle for a message
--
-- The queue does not depend on them, so a key that another program has spoilt counts as empty.
local SET_BAND = 4000000000000

local function read_served(field)
  local value = redis.pcall('HGET', served, field)
  return type(value) == 'string' and value or ''
end

-- The first member in the band of a set.
local function first_of_set(key, number)
  local low = number * SET_BAND
  local found = redis.pcall('ZRANGEBYSCORE', key, whole(low), whole(low + SET_BAND - 1), 'LIMIT', 0, 1)
  return not found.err and found[1] or nil
end

-- Wake one idle child. Nobody listens to the channel of a child that was killed.
local function rouse_one(number, queue)
  while true do
    local channel = first_of_set(idle, number)
    if not channel then return false end
    if redis.pcall('ZREM', idle, channel) ~= 1 then return false end
    local heard = redis.pcall('PUBLISH', channel, queue)
    if type(heard) ~= 'number' or heard > 0 then return true end
    if string.match(read_served(':ear ' .. number), '^(.*) %d+$') == channel then
      redis.pcall('HDEL', served, ':ear ' .. number)
    end
  end
end

-- Wake as many idle children as can take `count` messages. For the others the next child that is idle finds a
-- hint.
local function rouse(queue, count)
  local sets, woken = read_served(queue), 0
  for number in string.gmatch(sets, '%d+') do
    while woken < count and rouse_one(number, queue) do woken = woken + 1 end
  end
  if woken == count then return end
  for number in string.gmatch(sets, '%d+') do
    redis.pcall('ZADD', hints, 'NX', whole(number * SET_BAND + now_ms), number .. ' ' .. queue)
  end
end
