-- Put a queue that exists back into the index of all queues.
--
-- KEYS[1] attributes  KEYS[2] QUEUES
-- ARGV[1] name
-- Returns 1 if it was not there
if redis.pcall('HEXISTS', KEYS[1], 'vt') ~= 1 then return 0 end
return redis.call('SADD', KEYS[2], ARGV[1])
