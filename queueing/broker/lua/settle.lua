-- Settle deliveries and record their outcomes, in one step. Each becomes done, cancelled, retrying, dead or
-- released, if its receipt still fits and the lane still holds it. A refused outcome changes nothing in the queue,
-- with one exception: a message that somebody has asked to stop is cancelled unless it is done. A repeated call with
-- the same number returns the refusals of the first one.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] lane  ARGV[7] number of the call  ARGV[8] outcomes, packed for the recorder
-- ARGV[9] their times, summed for the metrics  ARGV[10] numbers of the outcomes of tasks, '*' for all
-- ARGV[11] JSON: id -> {id of the next message of its chain, that message as in lib/members.lua}, or ''
-- ARGV[12] how many outcomes are packed, 0 if the history keeps none of them
-- ARGV[13…] per run of equal outcomes: rc, outcome, delay in ms, how many, their ids
-- Returns {'ok', {id, 'lease lost', 'gone' or 'cancelled', …} of the refused ones, fill level of the outbox in per mille
-- or 0 if no recorder empties it, then messages that are to be sent}, or the reply of lib/room.lua for wrong keys
--
-- include clock
-- include queue
-- include room
-- include outbox
-- include next
-- include drain
local lane, number = ARGV[6], tonumber(ARGV[7])
local state, lease_end_ms = read_lane(lane)
if number <= state.settle then return { 'ok', state.refused, 0 } end

local held, given = {}, {}
for i = 1, #state.held, 2 do held[state.held[i]] = state.held[i + 1] end
local settled_words, delays_ms = {}, {}
local at = 13
while at <= #ARGV do
  local rc, ids_end = tonumber(ARGV[at]), at + 3 + ARGV[at + 3]
  for i = at + 4, ids_end do
    given[#given + 1], given[#given + 2] = ARGV[i], rc
    settled_words[#given / 2], delays_ms[#given / 2] = ARGV[at + 1], ARGV[at + 2]
  end
  at = ids_end + 1
end
local counts = receive_counts(given)
check_outbox()
local next_steps = ARGV[11] ~= '' and cjson.decode(ARGV[11]) or {}
if state.slots then check_limits() end
local has_headers = redis.call('HLEN', KEYS[4]) > 0
local loads_more = has_headers
for _, word in ipairs(settled_words) do loads_more = loads_more or word ~= 'done' end

-- Most calls end messages without headers as done. The others load the code for dead letters, retries and batches.
local end_otherwise, end_with_headers, to_send = nil, nil, {}
if loads_more then
  -- include bury
  to_send = new_follow_ups
  if has_headers then check_members() end
  for _, word in ipairs(settled_words) do
    if word == 'dead' then check_burial() end
  end

  -- A message is dead, is retried or was released.
  function end_otherwise(id, rc, word, delay_ms)
    if word == 'dead' then return bury(id) end
    local ends, count = read_ends(id), word == 'retrying' and 'failed' or 'released'
    ends[count] = ends[count] + 1
    write_ends(id, ends, rc)
    if word == 'retrying' or tonumber(delay_ms) > 0 then
      put_off(id, now_ms + delay_ms)
    else
      come_due(id, head_score(id))
    end
  end

  -- Delete the headers of messages that are done or cancelled, with all that follows.
  function end_with_headers(done, done_words)
    local groups = { done = {}, cancelled = {}, continued = {} }
    for i, headers in ipairs(redis.call('HMGET', KEYS[4], unpack(done))) do
      local following = next_steps[done[i]]
      if following then follow_with(following[1], following[2]) end
      local group = groups[following and 'continued' or done_words[i]]
      group[#group + 1], group[#group + 2] = done[i], headers
    end
    for word, found in pairs(groups) do count_each(found, word) end
    -- Only messages with headers have a key.
    if redis.call('HDEL', KEYS[4], unpack(done)) > 0 then
      for _, id in ipairs(done) do let_go(id) end
    end
  end
end

-- The reasons of messages that are cancelled here, because the child did not know yet that they are to be stopped.
local done_words, stopped = {}, {}
local refused, done, fields, ended, words = {}, {}, {}, {}, {}
for i = 1, #settled_words do
  local id, rc, word = given[2 * i - 1], given[2 * i], settled_words[i]
  local now_rc = tonumber(counts[i] or nil)
  local stop = stop_of(state, id, rc)
  if not now_rc then
    word = 'gone'
  elseif now_rc ~= rc or held[id] ~= rc then
    word = 'lease lost'
  elseif stop and word ~= 'done' and word ~= 'cancelled' then
    word, stopped[id] = 'cancelled', tostring(stop[3])
  end
  if word ~= settled_words[i] then refused[#refused + 1], refused[#refused + 2] = id, word end
  if word == 'done' or word == 'cancelled' then
    done[#done + 1] = id
    done_words[#done] = word
    fields[#fields + 1], fields[#fields + 2], fields[#fields + 3] = id, id .. ':rc', id .. ':fr'
    if rc > 1 then ended[#ended + 1] = id end
  elseif word ~= 'gone' and word ~= 'lease lost' then
    end_otherwise(id, rc, word, delays_ms[i])
  end
  words[word] = (words[word] or 0) + 1
  if held[id] == rc then
    held[id] = nil
    drop_delivery(state, id)
  end
end
if #done > 0 then
  redis.call('ZREM', KEYS[2], unpack(done))
  redis.call('HDEL', KEYS[1], unpack(fields))
  if has_headers then end_with_headers(done, done_words) end
end
if redis.call('EXISTS', KEYS[13]) == 1 then
  for i = 1, #given, 2 do redis.call('HDEL', KEYS[13], given[i]) end
end
if #ended > 0 then redis.call('HDEL', KEYS[3], unpack(ended)) end

local kept = {}
for i = 1, #state.held, 2 do
  if held[state.held[i]] then kept[#kept + 1], kept[#kept + 2] = state.held[i], state.held[i + 1] end
end
state.held, state.settle, state.refused = kept, number, refused
if state.lost then forget_lost(state, given) end
write_lane(lane, state, lease_end_ms)
start_next()

local tasks = {}
if ARGV[10] == '*' then
  for i = 1, #given, 2 do tasks[#tasks + 1] = given[i] end
else
  for index in string.gmatch(ARGV[10], '%d+') do tasks[#tasks + 1] = given[2 * index - 1] end
end
local recorded = tonumber(ARGV[12])
if recorded > 0 then
  local packed = { 'packed', ARGV[8], 'refused', cjson.encode(refused) }
  if next(stopped) then packed[5], packed[6] = 'stopped', cjson.encode(stopped) end
  record(recorded, packed, tasks)
end
count_words(words, ARGV[9])
if recorded == 0 then return { 'ok', refused, 0, unpack(to_send) } end

-- Without a recorder, for example while the database is away, the queue runs at full speed. With one, workers
-- slow down to the speed of the recorder.
local RECORDED_MS = 10000
local waiting, recorded_ms = unpack(redis.call('HMGET', KEYS[12], 'bytes', 'recorded'))
local is_emptied = now_ms - (stored_int(recorded_ms) or 0) < RECORDED_MS
local fill = is_emptied and math.floor(1000 * (stored_int(waiting) or 0) / ARGV[5]) or 0
return { 'ok', refused, fill, unpack(to_send) }
