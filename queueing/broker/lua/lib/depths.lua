-- Returns how many messages are ready, held by workers and dead, and for how many ms the oldest ready message
-- has waited.
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- include bands
local function depths()
  local _, running = running_ids()
  local ready = redis.call('ZCOUNT', KEYS[2], '-inf', whole(now_ms))
  local dead = redis.call('ZCARD', KEYS[6])
  -- A message is ready since its sending or since it came due, whichever is later. The message that has
  -- waited longest is the first of its band.
  local waiting_ms, after, band_after = 0, '-inf', nil
  while after do
    local head = redis.call('ZRANGEBYSCORE', KEYS[2], after, whole(now_ms), 'WITHSCORES', 'LIMIT', 0, 1)
    after = nil
    if head[1] then
      local sent_us, band_ms = tonumber(string.sub(head[1], 1, 10), 36) or 0, band_of(head[1])
      -- A score far below all bands is not a time.
      local due_ms = math.max(0, head[2] + band_ms)
      waiting_ms = math.max(waiting_ms, now_ms - math.max(sent_us / 1000, due_ms))
      -- From band to band, upwards only, because a message may be in the band of another priority.
      if band_ms > 0 and (not band_after or band_ms < band_after) then
        after, band_after = '(' .. whole(now_ms - band_ms), band_ms
      end
    end
  end
  return ready, running, dead, string.format('%.0f', math.min(waiting_ms, now_ms))
end
