-- Delete a queue with all it holds, and what we keep beside it.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] QUEUES  KEYS[4] ends  KEYS[5] leases  KEYS[6] held
-- ARGV[1] name
-- Returns {'ok'} or {RSMQ's error name}
local removed = redis.call('UNLINK', KEYS[1], KEYS[2])
for _, lane in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
  redis.call('HDEL', KEYS[6], lane)
end
redis.call('UNLINK', KEYS[4], KEYS[5])
redis.call('SREM', KEYS[3], ARGV[1])
if removed == 0 then return { 'queueNotFound' } end
return { 'ok' }
