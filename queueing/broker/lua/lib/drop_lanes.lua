-- Forget what workers hold of a queue that is deleted, with its slots. Returns the number of lanes.
-- KEYS[9] leases  KEYS[10] held  the last key: slots
-- include lane
local function drop_lanes()
  local dropped = 0
  for _, lane in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
    for _, held in pairs(lane_in(redis.call('HGET', KEYS[10], lane)).slots or {}) do
      if type(held) == 'table' and #held > 0 then redis.call('ZREM', KEYS[#KEYS], unpack(held)) end
    end
    dropped = dropped + redis.call('HDEL', KEYS[10], lane)
  end
  return dropped
end
