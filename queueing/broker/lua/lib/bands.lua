-- Priorities 1 to 100 are bands of scores far in the past. In RSMQ's layout a lower score is delivered first,
-- so Node readers follow the priorities, too. A band is wider than the age of any message (115 days).
local BAND_MS = 10000000000

-- The priority at the beginning of a value of KEYS[4] (headers), 0 for none.
local function priority_in(headers)
  local priority = tonumber(string.match(headers or '', '^p(%d%d?%d?) ')) or 0
  return priority <= 100 and priority or 0
end

-- The ms by which the score of a message is below its due time.
local function band_of(id)
  return priority_in(redis.call('HGET', KEYS[4], id)) * BAND_MS
end
