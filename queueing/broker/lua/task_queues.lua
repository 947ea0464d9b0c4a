-- The existing queues to which tasks were sent.
--
-- KEYS[1] task queues  KEYS[2] QUEUES
-- Returns {name, …}
return redis.call('SINTER', KEYS[1], KEYS[2])
