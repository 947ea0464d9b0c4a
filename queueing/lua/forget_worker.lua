-- Strike a worker that has left.
--
-- KEYS[1] workers
-- ARGV[1] name
return redis.call('HDEL', KEYS[1], ARGV[1])
