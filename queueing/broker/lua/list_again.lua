-- Add an existing queue to the index of all queues if it is missing there.
--
-- KEYS[1] attributes  KEYS[2] QUEUES
-- ARGV[1] name
-- Returns 1 if it was missing
if redis.pcall('HEXISTS', KEYS[1], 'vt') ~= 1 then return 0 end
return redis.call('SADD', KEYS[2], ARGV[1])
