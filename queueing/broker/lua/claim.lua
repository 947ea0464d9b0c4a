-- Claim a batch for a lane and lease it. A repeated call with the same number returns the same batch.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] lane  ARGV[7] number of the call  ARGV[8] how many  ARGV[9] bytes of bodies at which to stop
-- ARGV[10] ms of the lease  ARGV[11] how to treat a message that must run alone: 'take' it if the child holds
-- nothing, 'await' such a moment, or 'pass' it over  ARGV[12] max crashes  ARGV[13] how many messages of the
-- lane the child has in hand  ARGV[14] channel of the child, '' if it is not woken
-- ARGV[15] digest of its queues  ARGV[16] how many of its threads are free: with one left after the claim it is
-- entered as idle  ARGV[17] limit of the queue as in lib/limits.lua, '' for none
-- Returns {'ok', now ms, next due ms or 0, '1' if the head of the queue must run alone in an idle child, '2' if a
-- limit or a pause holds the queue back, else '0', the word of lib/stand_by.lua or '', then id, body, rc, fr,
-- "failed crashed released", headers or '' for each}, {'queueNotFound'}, {'surplus', now ms, now ms, '0', ''} if the
-- lane holds more than the child (keep.lua), or the reply of lib/room.lua for wrong keys. The counters of a first
-- delivery are followed by the ms at which it was due, if that was later than its sending.
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include room
-- include drain
-- include idle
-- include next
-- include due
-- include late
-- include ends
-- include stand_by
local lane, number, count = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local max_bytes, lease_ms = tonumber(ARGV[9]), tonumber(ARGV[10])

for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[9], '-inf', whole(now_ms), 'LIMIT', 0, 100)) do
  -- The caller's own lease may have ended while Redis or the caller was away. Nobody took the messages, so
  -- the caller still holds them.
  if ended ~= lane then
    -- include abandon
    abandon(ended, nil, 'its worker stopped extending the lease', tonumber(ARGV[12]))
  end
end

local state, lease_end_ms = read_lane(lane)
-- Read both before the first write: a key of another type must fail here.
local has_headers = redis.call('HLEN', KEYS[4]) > 0
redis.call('HLEN', KEYS[3])
-- Without headers only the queue itself has a limit. The code of limits is loaded only where one may apply.
local limits, queue_limit, has_waits
if has_headers or (ARGV[17] or '') ~= '' then
  -- include members
  -- include limits
  queue_limit, has_waits = limit_in(ARGV[17] or ''), check_limits() > 0
  limits = {
    room_of = room_of, free_count = free_count, next_start_us = next_start_us, may_start = may_start, start = start,
    advance_line = advance_line, advance_waiting = advance_waiting, limit_of = limit_of, place_of = place_of,
    may_not_start = may_not_start, batch_in = batch_in, recalled_ms = recalled_ms,
  }
end
if #state.held == 0 then
  lease_end_ms = now_ms + lease_ms
elseif lease_end_ms < now_ms + lease_ms / 2 then
  -- include extend
  lease_end_ms = extend(lane, state, lease_ms)
  start_next()
end

-- The headers by id, false if a message has none, as far as they are read.
local headers_of = {}

local function read_headers(ids)
  if not has_headers then return end
  local unread = {}
  for _, id in ipairs(ids) do
    if headers_of[id] == nil then unread[#unread + 1] = id end
  end
  if #unread == 0 then return end
  for i, text in ipairs(redis.call('HMGET', KEYS[4], unpack(unread))) do headers_of[unread[i]] = text end
end

local function deliver(first)
  local reply = { 'ok', whole(now_ms), 0, '0', '' }
  local ids, fields = {}, {}
  for i = first, #state.held, 2 do
    local id = state.held[i]
    ids[#ids + 1] = id
    fields[#fields + 1], fields[#fields + 2] = id, id .. ':fr'
  end
  if #ids == 0 then return reply end
  local texts = redis.call('HMGET', KEYS[1], unpack(fields))
  read_headers(ids)
  for i, id in ipairs(ids) do
    local rc = state.held[first + 2 * i - 1]
    local ends = late_ms[id] and '0 0 0 ' .. late_ms[id] or '0 0 0'
    if rc > 1 then
      local counts = read_ends(id)
      ends = string.format('%d %d %d', counts.failed, counts.crashed, math.max(0, counts.released - counts.moved))
    end
    local at = 5 + 6 * (i - 1)
    reply[at + 1], reply[at + 2], reply[at + 3] = id, texts[2 * i - 1] or '', rc
    reply[at + 4], reply[at + 5], reply[at + 6] = texts[2 * i] or whole(now_ms), ends, headers_of[id] or ''
  end
  return reply
end

if state.claim == number and state.taken > 0 then
  return deliver(math.max(1, #state.held - 2 * state.taken + 1))
end
-- Workers of an earlier release send no such number.
if ARGV[13] and #state.held > 2 * ARGV[13] then
  redis.call('ZCARD', KEYS[2])  -- a key of another type fails here
  return { 'surplus', whole(now_ms), whole(now_ms), '0', '' }
end
if ARGV[14] ~= '' then redis.pcall('ZREM', idle, ARGV[14]) end

-- Enter the child as idle if it has a free thread.
local function stand_by_after(taken, empty)
  return ARGV[14] ~= '' and taken < tonumber(ARGV[16]) and stand_by(ARGV[14], ARGV[15], empty) or ''
end
if is_paused then return { 'ok', whole(now_ms), 0, '2', stand_by_after(0) } end

if redis.call('EXISTS', waking) == 1 then
  -- include waking
  wake()
end
if has_waits then limits.advance_waiting() end
local WORN_OUT_MAX = 500
local alone = '0'
local first = #state.held + 1
local scores, fields, ends_fields, bytes, taken = {}, {}, {}, 0, 0
local worn_out = {}
local passed, passed_count = {}, 0
local queue_room = queue_limit and limits.room_of(queue_limit) or count
local is_held_back = queue_room < count
count = math.min(count, queue_room)
local limited_count, started_keys = 0, {}
-- A child knows after a second that a batch is cancelled. It then ends the members that wait without a run, so they
-- need no start.
local RECALL_KNOWN_MS = 2000

local wears_out, record_worn_out
if max_receive_count then
  -- include bury
  -- include endings
  local bodies = {}

  -- Bury a message if it was received often enough. Returns whether it was.
  function wears_out(id, rc, ends)
    if not is_worn_out(id, rc) then return false end
    check_burial()
    -- The last run has an outcome with its receipt, and the history keeps the first one of each receipt.
    redis.call('HSET', KEYS[1], id .. ':rc', rc + 1)
    worn_out[#worn_out + 1] = { id, rc + 1, 'dead', ends.failed, ends.crashed, 0 }
    add_body(bodies, id)
    bury(id)
    return true
  end

  function record_worn_out()
    count_up(KEYS[1], 'totalrecv', #worn_out)
    record_endings(lane, 'it was received ' .. max_receive_count .. ' times', worn_out, bodies)
    start_next()
  end
end

-- Take one message, which was received `rc` times. Returns whether the claim continues after it.
local function take(id, rc)
  local ends = rc > 0 and read_ends(id)
  local crashed = ends and ends.crashed or 0
  if ends then
    if wears_out and wears_out(id, rc, ends) then return true end
  else
    note_due(id)
  end
  -- A message with one crash is claimed singly, one with two runs alone in its child. The third crash is then
  -- certainly its own, and no other message is lost with it.
  if crashed > 0 and taken > 0 then return false end
  if crashed > 1 and (ARGV[11] ~= 'take' or #state.held > 0) then
    alone = '1'
    if ARGV[11] == 'pass' and not passed[id] then
      passed[id] = true
      passed_count = passed_count + 1
    end
    return ARGV[11] == 'pass'
  end
  local headers = headers_of[id]
  local sleeps = headers and limits.may_not_start(id, headers)
  local limit = headers and limits.limit_of(headers)
  local recalled = (limit or queue_limit) and limits.recalled_ms(limits.batch_in(headers))
  local starts = not recalled or now_ms - recalled < RECALL_KNOWN_MS
  if sleeps or (limit and starts and not limits.may_start(id, limit, headers)) then
    limited_count = limited_count + 1
    return true
  end
  -- Another client has made visible what this child runs.
  for i = 1, rc > 0 and first - 1 or 0, 2 do
    if state.held[i] == id then
      lose(state, id, state.held[i + 1])
      table.remove(state.held, i)
      table.remove(state.held, i)
      first = first - 2
      break
    end
  end
  state.held[#state.held + 1], state.held[#state.held + 2] = id, rc + 1
  if limit then
    if starts then limits.start(state, id, rc + 1, limit) end
    redis.call('ZREM', line, limits.place_of(limit, id, headers))
    started_keys[limit.key] = true
  end
  if queue_limit and starts then limits.start(state, id, rc + 1, queue_limit) end
  scores[#scores + 1], scores[#scores + 2] = whole(lease_end_ms), id
  fields[#fields + 1], fields[#fields + 2] = id .. ':rc', rc + 1
  if ends then
    ends.claimed_ms, ends.unheld_rc = now_ms, 0
    ends_fields[#ends_fields + 1], ends_fields[#ends_fields + 2] = id, ends_text(ends)
  else
    fields[#fields + 1], fields[#fields + 2] = id .. ':fr', whole(now_ms)
  end
  taken = taken + 1
  bytes = bytes + sizes[id]
  return crashed == 0 and bytes < max_bytes
end

-- Worn-out, passed-over and limited messages make room for others, so read again, up to a limit.
local goes_on, more = true, true
while goes_on and more and taken == 0 and #worn_out + passed_count + limited_count < WORN_OUT_MAX do
  local before = #worn_out + passed_count + limited_count
  local ids, rc_fields = due_ids(count + passed_count), {}
  for i, id in ipairs(ids) do rc_fields[i] = id .. ':rc' end
  read_headers(ids)
  local counts = #ids > 0 and redis.call('HMGET', KEYS[1], unpack(rc_fields))
  for i, id in ipairs(ids) do
    goes_on = taken < count and take(id, receive_count(counts[i]))
    if not goes_on then break end
  end
  more = #worn_out + passed_count + limited_count > before
end

if #worn_out > 0 then record_worn_out() end
if taken > 0 then
  count_up(KEYS[1], 'totalrecv', taken)
  redis.call('ZADD', KEYS[2], unpack(scores))
  redis.call('HSET', KEYS[1], unpack(fields))
  if #ends_fields > 0 then redis.call('HSET', KEYS[3], unpack(ends_fields)) end
  state.claim, state.taken = number, taken
  write_lane(lane, state, lease_end_ms)
end

for key in pairs(started_keys) do limits.advance_line(key) end
local is_limited = limited_count > 0 or next(started_keys) ~= nil or is_held_back

local reply = deliver(first)
reply[4] = alone
-- The claim may have stopped early, although more messages are due.
local has_more = taken < count and (not goes_on or #worn_out >= WORN_OUT_MAX)
if taken == count or is_limited or #worn_out > 0 then
  has_more = #redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now_ms), 'LIMIT', 0, 1) > 0
end
-- Due messages of a limited queue wait for its next start, or for a slot: that one is announced.
local next_start_ms
if is_held_back and taken == count then
  has_more = false
  if alone == '0' then reply[4] = '2' end
  next_start_ms = limits.free_count(queue_limit) > 0 and math.ceil(limits.next_start_us(queue_limit) / 1000) or 0
end
if has_more then
  reply[3] = whole(now_ms)
  rouse(ARGV[1], 1)
elseif next_start_ms then
  reply[3] = whole(next_start_ms)
else
  local next_due = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. whole(now_ms), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  reply[3] = next_due[2] and whole(tonumber(next_due[2])) or 0
end
-- Another child must know of the next start if this one will be busy then. All children poll after 4.5 s.
local is_soon = tonumber(reply[3]) > now_ms and tonumber(reply[3]) < now_ms + 4500
if is_limited and is_soon and taken > 0 and taken >= tonumber(ARGV[16] or 0) then rouse(ARGV[1], 1) end
-- A hint may be about the next start of a limited queue.
reply[5] = stand_by_after(taken, not has_more and not is_limited and ARGV[1])
return reply
