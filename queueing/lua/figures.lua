-- What there is to know about one queue at one moment.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] leases  KEYS[4] held  KEYS[5] dead schedule
-- Returns what attributes.lua does, then ready, running, dead, ms that the oldest ready one waits
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include attributes
-- include lanes
local reply = attributes_reply()
local _, running = running_ids()
reply[#reply + 1] = redis.call('ZCOUNT', KEYS[2], '-inf', whole(now_ms))
reply[#reply + 1] = running
reply[#reply + 1] = redis.call('ZCARD', KEYS[5])
-- A message is ready since its sending or since it came due, whichever is later.
local head = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now_ms), 'WITHSCORES', 'LIMIT', 0, 1)
local waiting_ms = 0
if head[1] then
  local sent_us = tonumber(string.sub(head[1], 1, 10), 36) or 0
  waiting_ms = now_ms - math.max(sent_us / 1000, tonumber(head[2]))
end
reply[#reply + 1] = whole(math.max(waiting_ms, 0))
return reply
