-- Forget what workers hold of a queue that is deleted, with its slots, and which limits it waits for, and count its
-- members of batches as cancelled. Returns how many lanes and keys were deleted. KEYS and ARGV[1…5] as in lib/keys.lua
-- include leave
-- include next
-- include lane
local has_headers = redis.call('TYPE', KEYS[4]).ok == 'hash'
if has_headers then check_members() end
local has_waits = redis.call('TYPE', waits).ok == 'zset'

local function drop_lanes()
  local dropped = 0
  for _, lane in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
    local state = lane_in(redis.call('HGET', KEYS[10], lane))
    for id in pairs(state.slots or {}) do drop_delivery(state, id) end
    dropped = dropped + redis.call('HDEL', KEYS[10], lane)
  end
  for _, wait in ipairs(has_waits and redis.call('ZRANGE', waits, 0, -1) or {}) do
    local queue = string.match(wait, '^\1([^\1]*)\1') or string.match(wait, '\1([^\1]*)$')
    if queue == ARGV[1] then redis.call('ZREM', waits, wait) end
  end
  local cursor, found = '0', {}
  repeat
    if has_headers then cursor, found = unpack(redis.call('HSCAN', KEYS[4], cursor, 'COUNT', 1000)) end
    count_each(found, 'cancelled')
  until cursor == '0'
  dropped = dropped + redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[9], KEYS[13], KEYS[14], waking, KEYS[24], line)
  start_next()
  return dropped
end
