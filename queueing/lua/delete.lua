-- Delete one message, whoever holds it.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] ends
-- ARGV[1] id
-- Returns 1, or 0 where there is none (RSMQ does not look whether the queue is there)
local scheduled = redis.call('ZREM', KEYS[2], ARGV[1])
local fields = redis.call('HDEL', KEYS[1], ARGV[1], ARGV[1] .. ':rc', ARGV[1] .. ':fr')
redis.call('HDEL', KEYS[3], ARGV[1])
if scheduled == 1 and fields > 0 then return 1 end
return 0
