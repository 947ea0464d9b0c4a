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
-- include slots

local EMPTY_LANE_MS = 600000

-- include lane
-- Returns the lane and the ms at which its lease ends, now if it has none.
local function read_lane(lane)
  return lane_in(redis.call('HGET', KEYS[10], lane)), tonumber(redis.call('ZSCORE', KEYS[9], lane) or now_ms)
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

-- The present receive count for each id of {id, rc, …}, false if the message is gone.
local function receive_counts(held)
  if #held == 0 then return {} end
  local fields = {}
  for i = 1, #held, 2 do fields[#fields + 1] = held[i] .. ':rc' end
  return redis.call('HMGET', KEYS[1], unpack(fields))
end

-- Remember that a lane does not hold a delivery any more. Its run may still end, or its process may die.
local function lose(state, id, rc)
  state.lost = state.lost or {}
  table.insert(state.lost, id)
  table.insert(state.lost, rc)
  drop_delivery(state, id)
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
