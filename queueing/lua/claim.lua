-- Claim a batch for a lane and lease it. A call repeated with the same number returns the same batch.
--
-- KEYS and ARGV[1…4] as in lib/room.lua
-- ARGV[5] lane  ARGV[6] number of the call  ARGV[7] how many  ARGV[8] bytes of bodies at which to stop
-- ARGV[9] ms of the lease  ARGV[10] '1' where the child holds nothing at all  ARGV[11] max crashes
-- Returns {'ok', now ms, next due ms or 0, '1' where the head of the queue must run alone in an idle
-- child, then id, body, rc, fr, "failed crashed released" for each} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include room
-- include abandon
-- include due
local lane, number, count = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local lease_ms = tonumber(ARGV[9])

for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', whole(now_ms), 'LIMIT', 0, 100)) do
  -- Our own lease may end while Redis or we were away: nobody took it, so it is still ours.
  if ended ~= lane then abandon(ended, nil, 'its worker stopped extending the lease', tonumber(ARGV[11])) end
end

local state = read_lane(lane)
local lease_end_ms = tonumber(redis.call('ZSCORE', KEYS[4], lane) or 0)
if #state.held == 0 then
  lease_end_ms = now_ms + lease_ms
elseif lease_end_ms < now_ms + lease_ms / 2 then
  lease_end_ms = extend(lane, state, lease_ms)
end

local function deliver(first)
  local reply = { 'ok', whole(now_ms), 0, '0' }
  for i = first, #state.held, 2 do
    local id = state.held[i]
    local body, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':fr'))
    local ends = state.held[i + 1] > 1 and redis.call('HGET', KEYS[3], id) or '0 0 0'
    reply[#reply + 1] = id
    reply[#reply + 1] = body or ''
    reply[#reply + 1] = state.held[i + 1]
    reply[#reply + 1] = fr or whole(now_ms)
    reply[#reply + 1] = ends
  end
  return reply
end

if state.claim == number and state.taken > 0 then
  return deliver(#state.held - 2 * state.taken + 1)
end

local due = due_ids(count)
local alone = '0'
local first = #state.held + 1
local scores, fields, bytes, taken = {}, {}, 0, 0
for _, id in ipairs(due) do
  local rc = tonumber(redis.call('HGET', KEYS[1], id .. ':rc') or 0) or 0
  local crashed = 0
  if rc > 0 then _, crashed = read_ends(id) end
  -- What has killed a process once is claimed singly, twice: alone in its child, so that its third
  -- crash is certainly its own and no neighbour ever dies of it.
  if crashed > 0 and taken > 0 then break end
  if crashed > 1 and (ARGV[10] ~= '1' or #state.held > 0) then
    alone = '1'
    break
  end
  state.held[#state.held + 1], state.held[#state.held + 2] = id, rc + 1
  scores[#scores + 1], scores[#scores + 2] = whole(lease_end_ms), id
  fields[#fields + 1], fields[#fields + 2] = id .. ':rc', rc + 1
  if rc == 0 then fields[#fields + 1], fields[#fields + 2] = id .. ':fr', whole(now_ms) end
  taken = taken + 1
  bytes = bytes + redis.call('HSTRLEN', KEYS[1], id)
  if crashed > 0 or bytes >= tonumber(ARGV[8]) then break end
end

if taken > 0 then
  redis.call('ZADD', KEYS[2], unpack(scores))
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('HINCRBY', KEYS[1], 'totalrecv', taken)
  state.claim, state.taken = number, taken
  write_lane(lane, state, lease_end_ms)
end

local reply = deliver(first)
reply[4] = alone
if taken < count then
  local next_due = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. whole(now_ms), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  reply[3] = next_due[2] and whole(tonumber(next_due[2])) or 0
end
return reply
