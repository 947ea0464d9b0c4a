-- The names in the index of queues.
--
-- KEYS[1] QUEUES
-- Returns {name, …}
return redis.call('SMEMBERS', KEYS[1])
