-- Note that tasks are sent to a queue.
--
-- KEYS[1] task queues
-- ARGV[1] name
return redis.call('SADD', KEYS[1], ARGV[1])
