-- What there is to know about one queue at one moment.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- ARGV[1] name of the queue  ARGV[2] name of its dead-letter queue
-- Returns what attributes.lua does, then ready, running, dead, ms that the oldest ready one waits, and
-- '1' where the queue is paused; or {'deadLetterQueue', name} where the keys were those of another one
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
local elsewhere = other_dead_letter_queue(ARGV[2], ARGV[1])
if elsewhere then return { 'deadLetterQueue', elsewhere } end
-- include attributes
-- include lanes
local reply = attributes_reply()
local _, running = running_ids()
reply[#reply + 1] = redis.call('ZCOUNT', KEYS[2], '-inf', whole(now_ms))
reply[#reply + 1] = running
reply[#reply + 1] = redis.call('ZCARD', KEYS[6])
-- A message is ready since its sending or since it came due, whichever is later.
local head = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now_ms), 'WITHSCORES', 'LIMIT', 0, 1)
local waiting_ms = 0
if head[1] then
  local sent_us = tonumber(string.sub(head[1], 1, 10), 36) or 0
  waiting_ms = now_ms - math.max(sent_us / 1000, tonumber(head[2]))
end
reply[#reply + 1] = whole(math.max(waiting_ms, 0))
reply[#reply + 1] = is_paused or ''
return reply
