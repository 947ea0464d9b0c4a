-- Remove a worker that has left.
--
-- KEYS[1] workers  KEYS[2] quiet workers
-- ARGV[1] field of the worker
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
