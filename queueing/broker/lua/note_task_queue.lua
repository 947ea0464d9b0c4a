-- Add a queue to those that receive tasks.
--
-- KEYS[1] task queues
-- ARGV[1] name
-- Returns 1 if it was new, else 0
return redis.call('SADD', KEYS[1], ARGV[1])
