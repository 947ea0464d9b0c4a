-- Limits over all workers: how many messages of a key run at a time, and how often one of them starts.
--
--   slots (zset)  key, \1, id, space and rc of each running message, with score 0
--   rates (zset)  key -> µs since 1970 from which its next message may start (GCRA); key, \1 and a queue -> µs from
--     which that queue may again leave a free slot of the key to other queues
--   line (zset)   key, \1, place of the priority, \1 and id of each message that waits for its limit, with score 0
--   waits (zset)  key, \1 and a queue whose line has the key; after another queue has freed a slot of the key: \1,
--     the queue that waits, \1 and the key. Its next claim advances the line.
--
-- A message that may not start joins the line of its key and gets a later due time, so no claim reads it again
-- and again. The call that frees a slot makes the first of the line due. For a rate, its due time is that of the
-- next start. A program that deletes the first of a line makes no other due. So each message of a line also comes
-- due by itself: the n-th one after n times WAIT_MS.
local WAIT_MS, LONGEST_WAIT_MS = 10000, 86400000
-- A worker wakes some ms late. A start may be this much early to make up for it.
local EARLY_US = 100000
-- A queue that frees a slot leaves it to the other queues that wait for it, for YIELD_US, once in YIELD_EVERY_US.
local YIELD_US, YIELD_EVERY_US = 100000, 1000000
-- The most messages of a line that one step makes due.
local MOST_READY = 100

-- include slots
-- include ends
-- include head
-- include idle
-- include waking
-- include limit_headers

local function slot_of(key, id, rc)
  return key .. '\1' .. id .. ' ' .. whole(rc)
end

-- The range of the members of a key in `slots` and in `line`.
local function range_of(key)
  return '[' .. key .. '\1', '(' .. key .. '\2'
end

-- The µs from which the next message may start by its rate.
local function next_start_us(limit)
  if limit.interval_us == 0 then return now_us end
  local next_us = tonumber(redis.call('ZSCORE', rates, limit.key) or 0)
  if next_us > now_us + limit.interval_us then
    -- The clock was set back, or the rate was raised. The key waits for one interval from now.
    next_us = now_us + limit.interval_us
    redis.call('ZADD', rates, whole(next_us), limit.key)
  end
  return math.max(now_us - EARLY_US, next_us)
end

local function free_count(limit)
  if limit.concurrency == 0 then return MOST_READY end
  return math.max(0, limit.concurrency - redis.call('ZLEXCOUNT', slots, range_of(limit.key)))
end

-- The µs from which this queue may take a slot of the key, because it leaves one to others.
local function yields_until_us(key)
  local again_us = tonumber(redis.call('ZSCORE', rates, key .. '\1' .. ARGV[1]) or 0)
  -- A clock that was set back must not stop the key.
  return again_us <= now_us + YIELD_EVERY_US and again_us - YIELD_EVERY_US + YIELD_US or 0
end

local function yield(key)
  if yields_until_us(key) + YIELD_EVERY_US - YIELD_US > now_us then return end
  redis.call('ZADD', rates, whole(now_us + YIELD_EVERY_US), key .. '\1' .. ARGV[1])
end

-- How many messages may start now.
local function room_of(limit)
  local room = free_count(limit)
  if limit.interval_us > 0 then
    room = math.min(room, math.max(0, math.floor((now_us - next_start_us(limit)) / limit.interval_us) + 1))
  end
  return room
end

local function id_at(place)
  return string.match(place, '^[^\1]*\1%d%d%d\1(.*)$')
end

-- Whether a message waits in its queue, no receiver has taken it, and no later request has put it off.
local function is_waiting(id)
  if not id or not redis.call('ZSCORE', KEYS[2], id) then return false end
  local _, _, _, due_text = unique_of(KEYS[24], id)
  if tonumber(due_text or 0) > now_ms then return false end
  local rc = receive_count(redis.call('HGET', KEYS[1], id .. ':rc'))
  return not may_be_held(rc, read_ends(id))
end

-- The first `count` places of a line. Those of messages that have left the queue are dropped.
local function first_places(key, count)
  local low, high = range_of(key)
  local step = count
  while true do
    local places, gone = {}, {}
    for _, place in ipairs(redis.call('ZRANGEBYLEX', line, low, high, 'LIMIT', 0, step)) do
      local group = is_waiting(id_at(place)) and places or gone
      if #places < count then group[#group + 1] = place end
    end
    if #gone == 0 then return places end
    redis.call('ZREM', line, unpack(gone))
    step = math.min(2 * step, 1000)
  end
end

-- Give a message of a line an earlier due time.
local function bring_forward(id, due_ms)
  local score = tonumber(redis.call('ZSCORE', KEYS[2], id) or 0)
  local head = head_score(id)
  if due_ms > now_ms then
    if score > due_ms then put_off(id, due_ms) end
  elseif score > tonumber(head) then
    -- Also if it came due by itself: those behind it in the line must not be before it in the queue.
    come_due(id, head)
  end
end

-- When the message with this many others before it comes due at the latest. It cannot start before its turn by
-- the rate.
local function latest_due_ms(limit, ahead, wait_ms)
  local turn_us = next_start_us(limit) - now_us + ahead * limit.interval_us
  return now_ms + math.min(math.max(wait_ms, math.ceil(turn_us / 1000)), LONGEST_WAIT_MS)
end

-- Make the first of a line due when they may start, and the one behind them a little later.
local function advance(key)
  local limit
  while true do
    local first = first_places(key, 1)[1]
    if not first then return end
    limit = limit_of(redis.call('HGET', KEYS[4], id_at(first)))
    if limit and limit.key == key then break end
    -- Another program has changed its headers, or a later request has. Those behind it still wait for this limit.
    redis.call('ZREM', line, first)
    bring_forward(id_at(first), now_ms)
  end
  local ready, start_us = math.min(free_count(limit), MOST_READY), now_us
  if limit.interval_us > 0 then
    ready = math.min(ready, 1 + math.floor(EARLY_US / limit.interval_us))
    start_us = next_start_us(limit)
  end
  if limit.concurrency > 0 then start_us = math.max(start_us, yields_until_us(key)) end
  for i, place in ipairs(first_places(key, ready + 1)) do
    local due_ms = latest_due_ms(limit, i - 1, WAIT_MS)
    if i <= ready then
      local turn_us = start_us + (i - 1) * limit.interval_us
      due_ms = turn_us <= now_us and now_ms or math.ceil(turn_us / 1000)
    end
    bring_forward(id_at(place), due_ms)
  end
end

local function count_ahead(limit, place)
  return redis.call('ZLEXCOUNT', line, '[' .. limit.key .. '\1', '(' .. place)
end

-- Whether a message may start now. If not, it joins the line.
local function may_start(id, limit, headers)
  local place = place_of(limit, id, headers)
  local has_room, ahead = room_of(limit) > 0, count_ahead(limit, place)
  if limit.concurrency > 0 and yields_until_us(limit.key) > now_us then has_room = false end
  if ahead > 0 then
    first_places(limit.key, 1)
    ahead = count_ahead(limit, place)
  end
  if has_room and ahead == 0 then return true end
  local due_ms = latest_due_ms(limit, ahead, WAIT_MS * (ahead + 1))
  redis.call('ZADD', line, 0, place)
  local rc, ends = receive_count(redis.call('HGET', KEYS[1], id .. ':rc')), read_ends(id)
  if may_be_held(rc, ends) then write_ends(id, ends, rc) end
  if limit.concurrency > 0 then redis.call('ZADD', waits, 0, limit.key .. '\1' .. ARGV[1]) end
  -- Those before it may start. If they cannot, this one must not come due in this claim again.
  if has_room and ahead > 0 then advance(limit.key) end
  put_off(id, due_ms)
  if ahead == 0 then advance(limit.key) end
  return false
end

-- Count the start of a message that the lane `state` holds from now on.
local function start(state, id, rc, limit)
  if limit.concurrency > 0 then
    local slot = slot_of(limit.key, id, rc)
    redis.call('ZADD', slots, 0, slot)
    state.slots = state.slots or {}
    state.slots[id] = state.slots[id] or {}
    table.insert(state.slots[id], slot)
  end
  if limit.interval_us > 0 then
    redis.call('ZADD', rates, whole(next_start_us(limit) + limit.interval_us), limit.key)
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', rates, '-inf', whole(now_us - EARLY_US), 'LIMIT', 0, 10)) do
      redis.call('ZREM', rates, key)
    end
  end
end

-- Advance the line of a key that has lost a slot.
local function advance_line(key)
  advance(key)
  if not first_places(key, 1)[1] then redis.call('ZREM', waits, key .. '\1' .. ARGV[1]) end
end

-- Advance the lines of the keys of which other queues have freed a slot.
local function advance_waiting()
  local range = { range_of('\1' .. ARGV[1]) }
  for _, mark in ipairs(redis.call('ZRANGEBYLEX', waits, range[1], range[2], 'LIMIT', 0, MOST_READY)) do
    local key = string.match(mark, '^\1[^\1]*\1(.*)$')
    redis.call('ZREM', waits, mark)
    redis.call('ZADD', waits, 0, key .. '\1' .. ARGV[1])
    advance_line(key)
  end
end

-- Advance the lines of the keys that have lost a slot, and wake a child for them in each queue.
local function advance_freed()
  for key in pairs(freed_keys) do
    for _, wait in ipairs(redis.call('ZRANGEBYLEX', waits, range_of(key))) do
      local queue = string.match(wait, '\1(.*)$')
      if queue ~= ARGV[1] then
        redis.call('ZREM', waits, wait)
        redis.call('ZADD', waits, 0, '\1' .. queue .. '\1' .. key)
        rouse(queue, 1)
        -- A queue goes before its sibling for low priorities.
        if queue ~= ARGV[1] .. '-low' then yield(key) end
      end
    end
    advance_line(key)
    -- All messages of a limited queue wait in the queue itself, and its sibling shares the limit.
    local base = string.match(key, '^queue:(.*)$')
    for _, queue in ipairs(base and { base, base .. '-low' } or {}) do
      if queue == ARGV[1] then
        has_come_due = has_come_due or #redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now_ms), 'LIMIT', 0, 1) > 0
      else
        rouse(queue, 1)
      end
    end
  end
  freed_keys = {}
end
