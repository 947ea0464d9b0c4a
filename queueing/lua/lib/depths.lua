-- How many are ready, held by workers and dead, and for how many ms the oldest ready one has waited.
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
local function depths()
  local _, running = running_ids()
  local ready = redis.call('ZCOUNT', KEYS[2], '-inf', whole(now_ms))
  local dead = redis.call('ZCARD', KEYS[6])
  -- A message is ready since its sending or since it came due, whichever is later.
  local head = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now_ms), 'WITHSCORES', 'LIMIT', 0, 1)
  local waiting_ms = 0
  if head[1] then
    local sent_us = tonumber(string.sub(head[1], 1, 10), 36) or 0
    waiting_ms = now_ms - math.max(sent_us / 1000, tonumber(head[2]))
  end
  return ready, running, dead, whole(math.max(waiting_ms, 0))
end
