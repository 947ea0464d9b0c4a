-- Make a message receivable again so many seconds from now.
--
-- KEYS[1] attributes  KEYS[2] schedule
-- ARGV[1] id  ARGV[2] vt in seconds
-- Returns {'ok', 1 or 0} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
redis.call('HDEL', KEYS[1], '')
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return { 'ok', 0 } end
redis.call('ZADD', KEYS[2], whole(now_ms + ARGV[2] * 1000), ARGV[1])
return { 'ok', 1 }
