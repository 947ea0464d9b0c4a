-- What claim, settle, extend and abandon share: the keys of one queue, and the lanes on it.
--
-- KEYS[1] attributes (hash)    KEYS[2] schedule (zset)        KEYS[3] ends (hash)
-- KEYS[4] leases (zset)        KEYS[5] held (hash)            KEYS[6] outbox (stream)
-- KEYS[7] outbox stats (hash)  KEYS[8] dead attributes (hash) KEYS[9] dead schedule (zset)
-- KEYS[10] QUEUES (set)
-- ARGV[1] name of the queue    ARGV[2] its channel            ARGV[3] name of its dead-letter queue
-- ARGV[4] bytes the outbox may hold
--
-- A lane is one child on one queue. Its field in `held` is JSON: the numbers of its last claim and
-- last settle, what that settle refused, how many ids that claim took, and {id, rc, id, rc, …}.

-- Over maxmemory Redis refuses the first write of a script that needs memory, and everything that
-- drains the queue needs some. HDEL is always allowed, and lifts the check for the rest.
redis.call('HDEL', KEYS[1], '')

local EMPTY_LANE_MS = 600000

local function read_lane(lane)
  local text = redis.call('HGET', KEYS[5], lane)
  if not text then
    return { claim = 0, settle = 0, taken = 0, refused = {}, held = {} }
  end
  return cjson.decode(text)
end

-- A lane that holds nothing stays for a while, so that a repeated settle is recognised.
local function write_lane(lane, state, lease_end_ms)
  redis.call('HSET', KEYS[5], lane, cjson.encode(state))
  if #state.held == 0 then lease_end_ms = now_ms + EMPTY_LANE_MS end
  redis.call('ZADD', KEYS[4], whole(lease_end_ms), lane)
end

local function drop_lane(lane)
  redis.call('HDEL', KEYS[5], lane)
  redis.call('ZREM', KEYS[4], lane)
end

-- For each id of {id, rc, …} the receive count it has now, false where the message is gone.
local function receive_counts(held)
  if #held == 0 then return {} end
  local fields = {}
  for i = 1, #held, 2 do fields[#fields + 1] = held[i] .. ':rc' end
  return redis.call('HMGET', KEYS[1], unpack(fields))
end

-- A message that comes back goes to the head: its place is that of its sending, not behind a backlog.
local function head_score(id)
  local us = tonumber(string.sub(id, 1, 10), 36)
  if not us or us / 1000 > now_ms then return whole(now_ms) end
  return whole(math.floor(us / 1000))
end

local function read_ends(id)
  local text = redis.call('HGET', KEYS[3], id)
  if not text then return 0, 0, 0 end
  local failed, crashed, released = string.match(text, '^(%d+) (%d+) (%d+)$')
  return tonumber(failed) or 0, tonumber(crashed) or 0, tonumber(released) or 0
end

local function write_ends(id, failed, crashed, released)
  redis.call('HSET', KEYS[3], id, string.format('%d %d %d', failed, crashed, released))
end

local function forget(id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[1], id, id .. ':rc', id .. ':fr')
  redis.call('HDEL', KEYS[3], id)
end

-- The dead-letter queue is an ordinary one, made when it is first needed; body, id, rc and fr stay.
local function bury(id)
  local body, rc, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':rc', id .. ':fr'))
  if redis.call('HEXISTS', KEYS[8], 'vt') == 0 then
    redis.call('HSET', KEYS[8], 'vt', 30, 'delay', 0, 'maxsize', -1, 'created', time[1], 'modified', time[1])
  end
  redis.call('SADD', KEYS[10], ARGV[3])
  redis.call('HSET', KEYS[8], id, body or '', id .. ':rc', rc)
  if fr then redis.call('HSET', KEYS[8], id .. ':fr', fr) end
  redis.call('HINCRBY', KEYS[8], 'totalsent', 1)
  redis.call('ZADD', KEYS[9], whole(now_ms), id)
  forget(id)
end

local function announce()
  redis.call('PUBLISH', ARGV[2], redis.call('ZCARD', KEYS[2]))
end

-- One entry per batch. What no longer fits pushes out the oldest, and is counted.
local function record(count, fields)
  local size = 0
  for i = 2, #fields, 2 do size = size + #fields[i] end
  local entry = { 'count', count, 'bytes', size, 'ms', whole(now_ms) }
  for _, value in ipairs(fields) do entry[#entry + 1] = value end
  redis.call('XADD', KEYS[6], '*', unpack(entry))
  local waiting = redis.call('HINCRBY', KEYS[7], 'bytes', size)
  while waiting > tonumber(ARGV[4]) do
    local oldest = redis.call('XRANGE', KEYS[6], '-', '+', 'COUNT', 1)[1]
    if not oldest then
      redis.call('HSET', KEYS[7], 'bytes', 0)
      return
    end
    redis.call('XDEL', KEYS[6], oldest[1])
    waiting = redis.call('HINCRBY', KEYS[7], 'bytes', -oldest[2][4])
    redis.call('HINCRBY', KEYS[7], 'lost', oldest[2][2])
  end
end

-- Lease again what the lane still holds; what another receiver took over is dropped from it.
local function extend(lane, state, lease_ms)
  local counts, kept, scores, lost = receive_counts(state.held), {}, {}, {}
  local lease_end_ms = now_ms + lease_ms
  for i = 1, #state.held, 2 do
    local id, rc = state.held[i], state.held[i + 1]
    if tonumber(counts[(i + 1) / 2] or -1) == rc then
      kept[#kept + 1], kept[#kept + 2] = id, rc
      scores[#scores + 1], scores[#scores + 2] = whole(lease_end_ms), id
    else
      lost[#lost + 1] = id
    end
  end
  if #scores > 0 then redis.call('ZADD', KEYS[2], 'XX', unpack(scores)) end
  state.held = kept
  write_lane(lane, state, lease_end_ms)
  return lease_end_ms, lost
end
