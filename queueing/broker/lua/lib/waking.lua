-- Messages that come due again. KEYS as in lib/keys.lua
--
-- A message that was delayed, hidden or is retried has its due time as its score, outside the band of its priority. It
-- is also stored in `waking`, as is a unique message that waits for another one.
-- include keys
-- include bands
-- include unique

-- Make a message due later.
local function put_off(id, due_ms)
  redis.call('ZADD', KEYS[2], whole(due_ms), id)
  if band_of(id) > 0 then redis.call('ZADD', waking, whole(due_ms), id) end
end

-- Make a message due now, with this place in the order.
local function come_due(id, score)
  redis.call('ZREM', waking, id)
  redis.call('ZADD', KEYS[2], score, id)
  has_come_due = true
end

-- Let a unique message that has come due sleep again if it still waits for another one. Returns whether it sleeps.
local function sleeps_again(id)
  local _, before = unique_of(KEYS[24], id)
  local parked_ms = before and before ~= '-' and parked_behind(before)
  if not parked_ms then return false end
  redis.call('ZADD', KEYS[2], whole(parked_ms), id)
  redis.call('ZADD', waking, whole(parked_ms), id)
  return true
end

-- The same for a message that a receiver is about to take: one call of `wake` does not see them all.
local function may_not_start(id, headers)
  return headers and string.find(headers, '"queueing-unique"', 1, true) and sleeps_again(id)
end

-- Put messages that have come due into their bands. A unique message that waits for another one sleeps again.
local function wake()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', waking, '-inf', whole(now_ms), 'LIMIT', 0, 1000)) do
    local score = tonumber(redis.call('ZSCORE', KEYS[2], id) or nil)
    if score and score > now_ms then
      redis.call('ZADD', waking, whole(score), id)
    elseif not (score and sleeps_again(id)) then
      local is_outside = score and now_ms - score < BAND_MS
      if is_outside then redis.call('ZADD', KEYS[2], whole(score - band_of(id)), id) end
      redis.call('ZREM', waking, id)
    end
  end
end
