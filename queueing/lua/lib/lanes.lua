-- The ids that workers hold under a lease that lasts: id -> true, and how many they are.
-- KEYS[3] leases  KEYS[4] held
local function running_ids()
  local ids, count = {}, 0
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. whole(now_ms), '+inf')) do
    local text = redis.call('HGET', KEYS[4], lane)
    local held = text and cjson.decode(text).held or {}
    for i = 1, #held, 2 do
      ids[held[i]] = true
      count = count + 1
    end
  end
  return ids, count
end
