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

-- A message that was delayed, hidden or is retried has its due time as its score, outside its band. It is
-- also stored in `key` (waking).
local function sleep_in(key, id, due_ms)
  redis.call('ZADD', key, whole(due_ms), id)
end

-- include unique
-- Let a unique message that has come due sleep again if it still waits for another one. `key` is waking. Returns
-- whether it sleeps.
local function sleeps_again(key, unique, id)
  local _, before = unique_of(unique, id)
  local parked_ms = before and before ~= '-' and parked_behind(before)
  if not parked_ms then return false end
  redis.call('ZADD', KEYS[2], whole(parked_ms), id)
  sleep_in(key, id, parked_ms)
  return true
end

-- The same for a message that a receiver is about to take: one call of `wake` does not see them all.
local function may_not_start(key, unique, id, headers)
  return headers and string.find(headers, '"queueing-unique"', 1, true) and sleeps_again(key, unique, id)
end

-- Put messages that have come due into their bands. A unique message that waits for another one sleeps again.
local function wake(key, unique)
  if redis.call('EXISTS', key) == 0 then return end
  local has_unique = redis.call('EXISTS', unique) == 1
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', whole(now_ms), 'LIMIT', 0, 1000)) do
    local score = tonumber(redis.call('ZSCORE', KEYS[2], id) or nil)
    if score and score > now_ms then
      sleep_in(key, id, score)
    elseif not (has_unique and score and sleeps_again(key, unique, id)) then
      local is_outside = score and now_ms - score < BAND_MS
      if is_outside then redis.call('ZADD', KEYS[2], whole(score - band_of(id)), id) end
      redis.call('ZREM', key, id)
    end
  end
end
