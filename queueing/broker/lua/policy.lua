-- Change attributes of a queue beyond RSMQ's, if any are given, and return all of them.
--
-- KEYS as in lib/queue.lua
-- ARGV[1] channel  ARGV[2…] name, value, …; the value '' removes the attribute
-- Returns {'ok', max_receive_count, dead_letter_queue, retention, paused}, '' for each that is not set, or
-- {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include head
-- HDEL permits the change over maxmemory, too. It runs only for a change, so that a replica can be read.
if #ARGV > 1 then redis.call('HDEL', KEYS[1], '') end
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
-- Readers that wait for a paused queue wake when it is resumed.
if #ARGV > 1 then announce(ARGV[1]) end
local now = redis.call('HMGET', KEYS[1], 'max_receive_count', 'dead_letter_queue', 'retention', 'paused')
return { 'ok', now[1] or '', now[2] or '', now[3] or '', now[4] or '' }
