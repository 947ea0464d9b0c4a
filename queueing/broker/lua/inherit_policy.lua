-- Give a queue that moves here the redrive policy and the retention that it lacks. Only the first call for a
-- queue has this effect: what is deleted here after the move stays deleted.
--
-- KEYS as in lib/queue.lua
-- ARGV[1] max_receive_count  ARGV[2] dead_letter_queue  ARGV[3] retention; '' for each that is not set
-- Returns {'ok'} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- HDEL permits the change over maxmemory, too.
redis.call('HDEL', KEYS[1], '')
local now = redis.call('HMGET', KEYS[1], 'inherited', 'max_receive_count', 'retention')
if now[1] then return { 'ok' } end
if ARGV[1] ~= '' and not now[2] then
  redis.call('HSET', KEYS[1], 'max_receive_count', ARGV[1], 'dead_letter_queue', ARGV[2])
end
if ARGV[3] ~= '' and not now[3] then redis.call('HSET', KEYS[1], 'retention', ARGV[3]) end
redis.call('HSET', KEYS[1], 'inherited', 1)
return { 'ok' }
