-- Priorities 1 to 100 are bands of scores far in the past: in RSMQ's layout a lower score jumps the line, so
-- Node readers obey them, too. A band is wider than messages get old (115 days).
local BAND_MS = 10000000000

-- The priority at the beginning of what KEYS[4] (headers) keeps of a message, 0 where it has none.
local function priority_in(headers)
  local priority = tonumber(string.match(headers or '', '^p(%d%d?%d?) ')) or 0
  return priority <= 100 and priority or 0
end

-- By how many ms a message is put before its due time.
local function band_of(id)
  return priority_in(redis.call('HGET', KEYS[4], id)) * BAND_MS
end

-- What was delayed, hidden or is retried lies at its due time, outside of its band, and in `key` (waking).
local function sleep_in(key, id, due_ms)
  redis.call('ZADD', key, whole(due_ms), id)
end

-- Put what has come due into its band.
local function wake(key)
  if redis.call('EXISTS', key) == 0 then return end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', whole(now_ms), 'LIMIT', 0, 1000)) do
    local score = tonumber(redis.call('ZSCORE', KEYS[2], id) or nil)
    if score and score > now_ms then
      sleep_in(key, id, score)
    else
      local is_outside = score and now_ms - score < BAND_MS
      if is_outside then redis.call('ZADD', KEYS[2], whole(score - band_of(id)), id) end
      redis.call('ZREM', key, id)
    end
  end
end
