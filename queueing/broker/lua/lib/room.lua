-- The common part of claim, settle, extend and abandon: the lanes of one queue. KEYS and ARGV[1…5] as in lib/keys.lua
--
-- Each returns {'ok', …}, or the reply of lib/dead_letters.lua.
--
-- Each script reads its keys before its first write, so that a key of another type fails there: Lua has no
-- rollback.
--
-- A lane is one child on one queue. Its field in `held` is JSON: the numbers of its last claim and
-- last settle, the refusals of that settle, how many ids that claim took, and {id, rc, id, rc, …}. If
-- somebody asked to stop messages that it holds, `stops` has {rc, 1 to end the process or else 0, reason} by id.
-- If messages that it holds are limited, `slots` has the list of their slots by id (see lib/slots.lua). `lost` has
-- {id, rc, …} of the deliveries that the lane does not hold any more, and that its child has not settled yet.
-- include dead_letters
-- include keys
-- include idle
-- include slots

local EMPTY_LANE_MS = 600000

-- include lane
-- Returns the lane and the ms at which its lease ends, nil if it has none.
local function read_lane(lane)
  return lane_in(redis.call('HGET', KEYS[10], lane)), tonumber(redis.call('ZSCORE', KEYS[9], lane) or nil)
end

-- An empty lane stays for a while, so that a repeated settle is recognised.
local function write_lane(lane, state, lease_end_ms)
  redis.call('HSET', KEYS[10], lane, cjson.encode(state))
  if #state.held == 0 then lease_end_ms = now_ms + EMPTY_LANE_MS end
  redis.call('ZADD', KEYS[9], whole(lease_end_ms), lane)
end

-- The request to stop a delivery that a lane holds, or nil.
local function stop_of(state, id, rc)
  local stop = state.stops and state.stops[id]
  return type(stop) == 'table' and stop[1] == rc and stop or nil
end

-- Forget the requests about deliveries that the lane does not hold any more.
local function keep_stops(state)
  local kept
  for i = 1, #state.held, 2 do
    local id = state.held[i]
    local stop = stop_of(state, id, state.held[i + 1])
    if stop then
      kept = kept or {}
      kept[id] = stop
    end
  end
  state.stops = kept
end

-- The present receive count for each id of {id, rc, …}, false if the message is gone.
local function receive_counts(held)
  if #held == 0 then return {} end
  local fields = {}
  for i = 1, #held, 2 do fields[#fields + 1] = held[i] .. ':rc' end
  return redis.call('HMGET', KEYS[1], unpack(fields))
end

-- include entries
-- include unrecorded
local is_room_checked
-- Whether a message of the queue has headers, known after check_room.
local has_headers

-- Read before the first write, so that a key of another type fails here.
local function check_room()
  if is_room_checked then return end
  for _, i in ipairs({ 3, 12, 13, 15 }) do redis.call('HLEN', KEYS[i]) end
  has_headers = redis.call('HLEN', KEYS[4]) > 0
  redis.call('XLEN', KEYS[11])
  redis.call('ZCARD', KEYS[16])
  is_room_checked = true
end

-- The beginning of a task's body.
local TASK_BEGINNING = '{"django_task"'

-- Only another program writes entries with numbers far ahead. They would leave no numbers for later entries.
local function drop_future_entries()
  local kept = redis.call('XRANGE', KEYS[11], '-', whole(now_ms + 86400000))
  count_up(KEYS[12], 'lost', redis.call('XLEN', KEYS[11]) - #kept)
  redis.call('DEL', KEYS[11])
  for _, entry in ipairs(kept) do redis.call('XADD', KEYS[11], entry[1], unpack(entry[2])) end
end

local function add_entry(entry)
  local number = redis.pcall('XADD', KEYS[11], '*', unpack(entry))
  if type(number) == 'string' then return number end
  -- Any other error does not concern numbers, and would occur again after the entries were dropped.
  if string.find(number.err, 'exhausted') or string.find(number.err, 'equal or smaller') then
    drop_future_entries()
  end
  return redis.call('XADD', KEYS[11], '*', unpack(entry))
end

local function recount_bytes()
  local bytes = 0
  for _, entry in ipairs(redis.call('XRANGE', KEYS[11], '-', '+')) do bytes = bytes + size_of(entry[2]) end
  redis.call('HSET', KEYS[12], 'bytes', bytes)
  return bytes
end

-- Add one entry per batch. If the outbox is full, its oldest entries are dropped and counted as lost. `tasks`
-- has the ids of the tasks in the entry.
local function record(count, fields, tasks)
  local size, limit = 0, tonumber(ARGV[5])
  for i = 2, #fields, 2 do size = size + #fields[i] end
  if size > limit then
    count_up(KEYS[12], 'lost', count)
    return
  end
  local entry = { 'count', count, 'bytes', size, 'ms', whole(now_ms) }
  if #tasks > 0 then entry[7], entry[8] = 'tasks', table.concat(tasks, ' ') end
  for _, value in ipairs(fields) do entry[#entry + 1] = value end
  entry[#entry + 1], entry[#entry + 2] = 'format', FORMAT
  local number = add_entry(entry)
  if #tasks > 0 then
    remember_tasks(KEYS[15], tasks, number)
    announce_tasks(ARGV[4], tasks)
  end
  local waiting = count_up(KEYS[12], 'bytes', size)
  -- The outbox is never that full: another program has changed the counter.
  if waiting > 2 * limit or waiting < size then waiting = recount_bytes() end
  while waiting > limit do
    local oldest = redis.call('XRANGE', KEYS[11], '-', '+', 'COUNT', 1)[1]
    if not oldest then
      redis.call('HSET', KEYS[12], 'bytes', 0)
      return
    end
    local bytes, outcomes = size_of(oldest[2])
    redis.call('XDEL', KEYS[11], oldest[1])
    forget_tasks(KEYS[15], oldest[1], oldest[2])
    waiting = count_up(KEYS[12], 'bytes', 0 - bytes)
    count_up(KEYS[12], 'lost', outcomes)
  end
end

-- include metrics
-- Count outcomes by their words, but not for a queue that no longer exists.
local function count_words(words, packed)
  if queue_exists then try_to_add_counts(KEYS[14], words, packed) end
end

-- Outcomes that no worker packs: {id, rc, word, failed, crashed, ms of its claim or 0}, and for each a pair
-- 'body', text or, if the text is cut, 'cut', text. Only the first bodies of many are kept: one entry must
-- not push all others out of the outbox.
local BODY_BYTES, BODIES_BYTES = 16384, 262144
local recorded_bytes = 0

local function add_body(fields, id)
  local body = recorded_bytes <= BODIES_BYTES and redis.call('HGET', KEYS[1], id) or nil
  local kept = string.sub(body or '', 1, BODY_BYTES)
  recorded_bytes = recorded_bytes + #kept
  fields[#fields + 1] = body == kept and 'body' or 'cut'
  fields[#fields + 1] = kept
end

local function record_endings(lane, reason, endings, bodies)
  local fields = { 'ended',
    cjson.encode({ queue = ARGV[1], lane = lane, reason = reason, endings = endings }) }
  for _, value in ipairs(bodies) do fields[#fields + 1] = value end
  local tasks, counts = {}, {}
  for i, ending in ipairs(endings) do
    local is_task = string.sub(bodies[2 * i], 1, #TASK_BEGINNING) == TASK_BEGINNING
    -- Lookups of tasks use ids of RSMQ's form.
    if is_task and string.match(ending[1], '^[%w:]+$') then tasks[#tasks + 1] = ending[1] end
    counts[ending[3]] = (counts[ending[3]] or 0) + 1
  end
  record(#endings, fields, tasks)
  count_words(counts)
end

-- Remember that a lane does not hold a delivery any more. Its run may still end, or its process may die.
local function lose(state, id, rc)
  state.lost = state.lost or {}
  table.insert(state.lost, id)
  table.insert(state.lost, rc)
  if state.slots then free_slots(state, id) end
end

-- The child has settled the deliveries {id, rc, …}.
local function forget_lost(state, settled)
  local is_settled, left = {}, {}
  for i = 1, #settled, 2 do is_settled[settled[i] .. ' ' .. whole(settled[i + 1])] = true end
  for i = 1, #state.lost, 2 do
    local id, rc = state.lost[i], state.lost[i + 1]
    if not is_settled[id .. ' ' .. whole(rc)] then left[#left + 1], left[#left + 2] = id, rc end
  end
  state.lost = next(left) and left
end

-- Extend the lease of the messages that a lane still holds. The lane loses those that another receiver took over.
local function extend(lane, state, lease_ms)
  local counts, kept, scores, lost = receive_counts(state.held), {}, {}, {}
  local lease_end_ms = now_ms + lease_ms
  local last_claim = #state.held - 2 * state.taken + 1
  for i = 1, #state.held, 2 do
    local id, rc = state.held[i], state.held[i + 1]
    if tonumber(counts[(i + 1) / 2] or nil) == rc then
      kept[#kept + 1], kept[#kept + 2] = id, rc
      scores[#scores + 1], scores[#scores + 2] = whole(lease_end_ms), id
    else
      lost[#lost + 1] = id
      lose(state, id, rc)
      -- A repeated claim returns the end of the list.
      if i >= last_claim then state.taken = state.taken - 1 end
    end
  end
  if #scores > 0 then redis.call('ZADD', KEYS[2], 'XX', unpack(scores)) end
  state.held = kept
  if state.stops then keep_stops(state) end
  write_lane(lane, state, lease_end_ms)
  return lease_end_ms, lost
end
