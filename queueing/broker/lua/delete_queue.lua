-- Delete a queue with its messages and with the keys that RSMQ does not know.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held  KEYS[11…] further keys beyond RSMQ's
-- ARGV[1] name
-- Returns {'ok'} or {RSMQ's error name}
local removed = redis.call('UNLINK', KEYS[1], KEYS[2])
for _, lane in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
  redis.call('HDEL', KEYS[10], lane)
end
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[9], unpack(KEYS, 11))
redis.call('SREM', KEYS[8], ARGV[1])
if removed == 0 then return { 'queueNotFound' } end
return { 'ok' }
