-- The names in the index of queues.
--
-- KEYS[1] QUEUES
return redis.call('SMEMBERS', KEYS[1])
