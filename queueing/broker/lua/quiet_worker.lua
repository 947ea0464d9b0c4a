-- Ask a worker to stop claiming, or to claim again. The worker receives the request with its next heartbeat.
-- The request ends with this life of the worker: a new process of the same name is not quiet.
--
-- KEYS[1] quiet workers
-- ARGV[1] field of the worker  ARGV[2] token of its life, '' to claim again
-- Returns how many fields were added or removed
if ARGV[2] == '' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
