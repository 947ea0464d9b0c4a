-- include lane
-- The ids that workers hold under a valid lease (id -> true), their number, and the lane of each.
-- KEYS[9] leases  KEYS[10] held
local function running_ids()
  local ids, count, lane_of = {}, 0, {}
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[9], '(' .. whole(now_ms), '+inf')) do
    local held = lane_in(redis.call('HGET', KEYS[10], lane)).held
    for i = 1, #held, 2 do
      ids[held[i]], lane_of[held[i]] = true, lane
      count = count + 1
    end
  end
  return ids, count, lane_of
end
