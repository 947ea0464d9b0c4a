-- include lane
-- The ids that workers hold under a valid lease (id -> lane), and their number.
-- KEYS[9] leases  KEYS[10] held
local function running_ids()
  local ids, count = {}, 0
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[9], '(' .. whole(now_ms), '+inf')) do
    local held = lane_in(redis.call('HGET', KEYS[10], lane)).held
    for i = 1, #held, 2 do
      ids[held[i]] = lane
      count = count + 1
    end
  end
  return ids, count
end
