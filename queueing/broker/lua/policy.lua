-- What a queue has beyond RSMQ's attributes; change some of it first.
--
-- KEYS as in lib/queue.lua
-- ARGV[1] channel  ARGV[2…] name, value, …, where '' takes the name away
-- Returns {'ok', max_receive_count, dead_letter_queue, retention, paused}, '' for what is not set, or
-- {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include head
-- Over maxmemory a change is allowed, too. Only a change writes: a replica can be looked at.
if #ARGV > 1 then redis.call('HDEL', KEYS[1], '') end
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
-- Whoever waits for a paused queue is woken by its resumption.
if #ARGV > 1 then announce(ARGV[1]) end
local now = redis.call('HMGET', KEYS[1], 'max_receive_count', 'dead_letter_queue', 'retention', 'paused')
return { 'ok', now[1] or '', now[2] or '', now[3] or '', now[4] or '' }
