-- Forget what workers hold of a queue that is deleted, with its slots, and which limits it waits for, and count its
-- members of batches as cancelled. Returns the number of lanes.
-- KEYS[4] headers  KEYS[9] leases  KEYS[10] held  KEYS[16] slots  KEYS[17…20] as in lib/members.lua
-- KEYS[21] waits, as in lib/limits.lua  ARGV[1] name
local batches, batch_order, failed_members, follow_ups = KEYS[17], KEYS[18], KEYS[19], KEYS[20]
-- include lane
-- include lost_members
local has_headers = redis.call('TYPE', KEYS[4]).ok == 'hash'
if has_headers then check_members() end
local has_waits = redis.call('TYPE', KEYS[21]).ok == 'zset'

local function drop_lanes()
  local dropped = 0
  for _, lane in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
    for _, held in pairs(lane_in(redis.call('HGET', KEYS[10], lane)).slots or {}) do
      if type(held) == 'table' and #held > 0 then redis.call('ZREM', KEYS[16], unpack(held)) end
    end
    dropped = dropped + redis.call('HDEL', KEYS[10], lane)
  end
  for _, wait in ipairs(has_waits and redis.call('ZRANGE', KEYS[21], 0, -1) or {}) do
    local queue = string.match(wait, '^\1([^\1]*)\1') or string.match(wait, '\1([^\1]*)$')
    if queue == ARGV[1] then redis.call('ZREM', KEYS[21], wait) end
  end
  local cursor, found = '0', {}
  repeat
    if has_headers then cursor, found = unpack(redis.call('HSCAN', KEYS[4], cursor, 'COUNT', 1000)) end
    count_lost(found)
  until cursor == '0'
  return dropped
end
